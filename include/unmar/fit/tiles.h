#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "unmar/fit/fit.h"
#include "unmar/tensor/tiles.h"

/// One picture, fitted tile by tile: less memory than one fit, and each tile ends at its own
/// moment.
namespace unmar {

struct TileOptions {
  int side = 160;    ///< px of the picture, at least
  int overlap = 20;  ///< px of neighbours, at least; more where the operator reaches further
  int warm_up = 75;  ///< iterations of a first fit, in the middle, from whose weights all start
  int attempts = 3;  ///< at a fit that diverges, each with another seed
  /// Of the fit of a part of y, which lies there in y; empty: all iterations.
  std::function<std::unique_ptr<Stopper>(const Rect& part)> make_stopper = {};
};

/// fit() of make_problem() for the parts of y = A x, one after the other, blended where they
/// overlap. A has to say what it is of a part: Operator::restricted(). What a cut spoils of y is
/// hidden from the fit. y, x_shape: one picture; where A makes it smaller, by a whole factor.
/// problem: `picture` and `hidden` are those of the whole; options: of each fit, `resume` of all.
/// The result is counted through all fits, as fit_phases() does it, and on_iteration sees the whole
/// picture in the making. Memory: that of the fit of a tile, and seven pictures.
/// Cancelled: FitResult::best is empty, for tiles are missing.
/// throws Error{unsupported} if A cannot be looked at in parts; Error{bad_argument} for own_input,
/// stages and watchers, which belong to one fit, and if in a tile nothing is known;
/// Error{bad_input} for a state of another picture or other tiles; and what make_problem() and
/// fit() throw.
FitResult fit_tiles(const Tensor& y, const Shape& x_shape, const Operator& A,
                    const ProblemOptions& problem, const FitOptions& options,
                    const TileOptions& tiles, Engine& engine,
                    const std::function<void(const FitProgress&)>& on_iteration = {},
                    std::stop_token cancel = {});

}  // namespace unmar
