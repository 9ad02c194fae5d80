#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "tasks/plan.h"
#include "unmar/patches/patches.h"

namespace unmar {

/// Values of the observation that are kept from a fit, [1,c,h,w] of 1 and 0.
struct Hidden {
  Tensor from_fit;  ///< 1: the loss does not see it; empty: it sees all
  /// 1: compared afterwards. Fewer than the above where neighbours share their noise and would
  /// give it away.
  Tensor compared;
};

/// What --method auto makes beside a fit: the patch filter's result before it, a patch step with
/// the fit as its pilot after it, and the blend of all three.
class Blend {
 public:
  /// plan.noise must be known. All is borrowed. throws Error{unsupported} for an operator that does
  /// more than hide: the filter's picture of y is then no picture of x.
  Blend(const Plan& plan, const RestoreOptions& resolved, std::stop_token cancel,
        std::function<void(double)> on_progress = {});

  /// The patch filter on all that is known. Seconds.
  const Candidate& filter();
  /// The filter's picture of y without the hidden values, which are filled; [1,c,h,w].
  const Tensor& filter_without(const Hidden& hidden);
  /// fit: the picture that was fitted without the hidden values. Each candidate is made once more
  /// with the fit's values in place of the hidden ones, so that none has seen them, and the noisy
  /// values there decide the weights. Where the fit is worse than the filter, the filter is also
  /// made without the fit's help, and the better of both counts. If cancelled: the filter's result
  /// alone. Without hidden values, too, unless the noise is correlated: then the fit's alone.
  /// Each of Plan::tiles has weights of its own, held to those of the whole; candidates tell their
  /// means.
  /// Returns [1,c,h,w]; where nothing is known it is the fit's.
  Tensor with(const Tensor& fit, double fit_seconds, const Hidden& hidden);

  std::vector<Candidate> take_candidates() { return std::move(candidates_); }

 private:
  PatchOptions patch_options(double from, double to) const;
  Candidate& add(const char* name, const Tensor& picture, double seconds);
  /// The filter's picture without the hidden values.
  Tensor blind_filter(const Tensor& unseen, const Tensor& fit, const Hidden& hidden);
  const std::vector<double>& usual_weights(const NoiseModel& noise) const;
  /// The weights in a part of the picture; `usual` where nothing was hidden.
  std::vector<double> weigh(const std::vector<Tensor>& blind, const Tensor& compared,
                            const Rect& rect, const std::vector<double>& usual,
                            std::vector<double>& errors) const;

  const Plan& plan_;
  std::stop_token cancel_;
  std::function<void(double)> on_progress_;
  int threads_;
  bool starts_fit_;          ///< the filter's result is the network's input
  Tensor known_;             ///< empty: all is known
  Tensor filtered_;          ///< what filter() made
  Tensor filtered_without_;  ///< what filter_without() made
  std::vector<Candidate> candidates_;
};

/// Weights, 0 or more and 1 in all, of the candidates whose values at n places are given, so that
/// their sum is nearest to the noisy values there: least squares, held to the usual weights where
/// the values cannot tell. These are less for a candidate that is much worse than the best. errors:
/// the mean squared distance of each.
std::vector<double> blend_weights(const std::vector<std::vector<float>>& candidates,
                                  const std::vector<float>& noisy,
                                  const std::vector<double>& usual_weights,
                                  std::vector<double>& errors);

}  // namespace unmar
