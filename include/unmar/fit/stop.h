#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "unmar/fit/fit.h"

/// Stoppers that look at the observation; the others are in fit.h. They compare y [1,c,h,w] with
/// what the restored picture predicts of it, A x (Iterate::Ax), for any operator A, and throw
/// Error{bad_argument} if that has another shape.
namespace unmar {

/// How a signal is searched for its minimum, and what it is measured on.
struct ValleyOptions {
  int patience = 1000;    ///< values without a new minimum that end the search
  int min_start = 0;      ///< minima before this iteration do not count
  float average = 0.99f;  ///< decay of the running average that is judged, as FitOptions::average
};

/// Morozov's discrepancy principle, 1966: what is restored should be as far from y as the noise is
/// strong; any closer is fitted noise. Stops at the first iterate whose A x has a mean squared
/// distance from the known values of y of at most sigma^2 and chooses it; until then each iterate
/// is the best. known: weights in [0,1] of y's shape; empty: all 1. sigma: of Gaussian noise that
/// is the same everywhere, range 1. If y keeps to [0,1], so that the noise was clipped, what is
/// expected is the variance of the clipped noise at the value of A x instead of sigma^2. Signal:
/// distance^2 / expected. Memory: y and known.
std::unique_ptr<Stopper> make_discrepancy(Tensor y, Tensor known, float sigma);

struct HideOptions {
  double fraction = 0.02;        ///< of the pixels that are fully known
  std::size_t max_count = 8192;  ///< pixels; enough for any size of picture
  std::uint64_t seed = 0;
};
/// Draws what ProblemOptions::hidden wants, of the shape y: whole pixels, as grey noise stored in
/// three channels could be copied from one to the other. known: as above. All zeros if too few are
/// known. throws Error{bad_argument} unless fraction lies in (0,1).
Tensor hide_values(const Shape& y, const Tensor& known, const HideOptions& options);

/// Held-out values (self-validation; for Deep Image Prior Li et al., "Self-Validation: Early
/// Stopping for Single-Instance Deep Generative Priors", BMVC 2021, hold out pixels likewise): the
/// running average of A x is compared with values of y that the loss does not see. Their noise
/// cannot have been learnt from them, so the mean squared distance (absolute, for `l1`) is least
/// where the picture is nearest to the truth, whatever the noise, as long as it is independent from
/// pixel to pixel: for noise that neighbours share it sees nothing. Signal: that distance. Memory:
/// 4 * hidden values. A rewind leaves the average as it is.
std::unique_ptr<Stopper> make_held_out(const Tensor& y, const Tensor& hidden, LossKind loss,
                                       const ValleyOptions& options);

/// Self-referenced, after the idea of Huang et al., "A Principled Self-Referenced Early Stopping
/// Approach for Deep Image Prior", 2026 (arXiv 2605.25299), of which only the abstract was at hand:
/// pseudo-references with other noise stand in for a second exposure. The rest is our own:
/// RGB (their CSR-ES): each noisy channel is predicted, by one least-squares fit for the picture
/// without its 8 x 8 block means, from the two other channels of the running average of A x. The
/// error falls as they gain detail that the channels share and rises as they gain noise of their
/// own. Gray (their MR-ES): the mean of the noisy neighbours two pixels away is predicted from the
/// pixel. Their ACR-ES for other operators is not there. Noise that the channels (gray: neighbours)
/// share is not seen. Signal: mean squared error. Watches whole blocks of at most max_samples
/// values in all. Memory: 3 * samples floats. A rewind leaves the average as it is.
std::unique_ptr<Stopper> make_self_reference(const Tensor& y, const Tensor& known,
                                             const ValleyOptions& options,
                                             std::size_t max_samples = 65536);

/// Stein's unbiased risk estimate with zero crossing: Jo et al., "Rethinking Deep Image Prior for
/// Denoising", ICCV 2021. With f(y) = A x for the picture x that the network makes of the
/// observation:
///   risk = |f(y) - y|^2 / N - sigma^2 + 2 sigma^2 div f / N,
/// div f by one Monte-Carlo probe b: b' (f(y + s b) - f(y)) / s, where s b is the input's jitter of
/// that iteration. Evaluated every `every` iterations for one more forward pass. Stops at the first
/// risk below 0 and chooses it; until then each iterate is the best. Signal: the last risk.
/// The risk is that of A x, not of x. Limits: Gaussian noise of known sigma; the input must be the
/// observation and as large as y (InputKind::observed) with jitter, ProblemOptions::keep_input.
/// With any other input the picture depends on y through the weights alone and the divergence
/// cannot be had from passes. Here, too, that part is left out, so the risk is underestimated the
/// more the longer the fit: the crossing means something, the value does not. (The paper trains on
/// the estimate; this only watches.)
struct SureOptions {
  float sigma = 0;  ///< range 1
  int every = 10;
};
std::unique_ptr<Stopper> make_sure(Tensor y, const SureOptions& options);

/// Two at once: searches the geometric mean of their signals for its minimum, in which that of
/// `other` weighs `weight` times as much. held_out knows when noise of independent pixels is
/// learnt, but its minimum is flat and its few values are noisy themselves; `other` steadies it,
/// and sees noise that neighbours share. --stop auto for colour: self-reference, 3 times. Signal:
/// that mean.
std::unique_ptr<Stopper> make_auto(std::unique_ptr<Stopper> held_out,
                                   std::unique_ptr<Stopper> other, double weight,
                                   const ValleyOptions& options);

}  // namespace unmar
