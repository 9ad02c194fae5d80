#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/fit/fit.h"

/// Several fits of one picture, told as one.
namespace unmar {

enum class Combine {
  mean,   ///< of the pictures of its fits
  least,  ///< the fit with the least loss after its last iteration
  sum,    ///< of the pictures of its fits, each of a part of the picture and 0 elsewhere
};

/// Fits of one kind. The next phase begins with the weights that this one ended with.
struct FitPhase {
  std::string name = "run";         ///< of one of them, for who looks on
  int fits = 1;                     ///< at least 1
  Combine combine = Combine::mean;  ///< mean of several, sum: only in the last phase
  int iterations = 0;               ///< upper bound of each
  int attempts = 1;                 ///< at each; the next one follows one that diverged
};

/// One fit of the list.
struct FitPart {
  int phase = 0, fit = 0;       ///< fit: within its phase
  const Tensor* sum = nullptr;  ///< Combine::sum: of those before; null: it is the first
  int moment = -1;  ///< iteration that the first fit of this phase chose; -1: it is the first
  const std::vector<Tensor>* weights = nullptr;  ///< of the phase before; null in the first
  bool return_state = false;                     ///< the next phase wants FitResult::state
  int attempt = 0;  ///< from 0; each needs another seed, and weights that did not diverge
};
using FitPartFunction = std::function<FitResult(
    const FitPart& part, const std::function<void(const FitProgress&)>& on_iteration,
    std::string_view resume)>;

/// Calls fit_part for one after the other; its `resume` is empty for a new fit. Iterations and
/// seconds are counted through all. Of a cancelled list: a fit that was cut short is left out of a
/// phase that has another; the phase before stands for one that has none. A sum that lacks parts is
/// no picture: FitResult::best is empty.
/// A fit that throws Error{numeric} is called again as its phase allows. What it had told stays in
/// the history, rolled back.
/// resume: what FitProgress::save gave in such a list, or empty. Beside the fit that goes on it
/// holds the history, a picture and, between two phases, twice the weights.
/// throws Error{bad_input} if that is damaged or of another list, and what fit_part throws.
FitResult fit_phases(std::span<const FitPhase> phases, const FitPartFunction& fit_part,
                     const std::function<void(const FitProgress&)>& on_iteration = {},
                     std::string_view resume = {});

}  // namespace unmar
