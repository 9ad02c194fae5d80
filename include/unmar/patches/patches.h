#pragma once

#include <functional>
#include <stop_token>

#include "unmar/image/image.h"
#include "unmar/noise/noise.h"
#include "unmar/tensor/tensor.h"

/// Noise removed in seconds and without a network: every patch becomes the linear combination of
/// the patches like it that is nearest to its clean self in expectation. The weights have a closed
/// form: Herbreteau and Kervrann, "Towards a Unified View of Unsupervised Non-Local Methods for
/// Image Denoising: the NL-Ridge Approach", ICIP 2022; iterated, so that the noise goes little by
/// little: "Linear Combinations of Patches are Unreasonably Effective for Single-Image Denoising",
/// 2022 (LIChI). Written from the formulas.
///
/// A group is k patches of n pixels, the rows of Y. With D the variances of the k patches and P
/// what is known of the clean patches, Theta that minimises |P - Theta (P + noise)|^2 in
/// expectation, its rows summing to one, is
///   Theta = I - D (V - u u' / sum(u)),  V = (P P' + D)^-1,  u = V 1.
/// Colours are turned by an orthonormal cosine transform first; groups are found on the first
/// channel, weights for each channel alone.
namespace unmar {

/// 0: the default (src/patches/options.cpp), chosen for sigma from 5 to 50 of 255.
struct PatchOptions {
  int size = 0;        ///< side of a patch, 1 to 16 px
  int group = 0;       ///< similar patches, 1 to 256
  int radius = 0;      ///< that they are looked for in, 1 to 100 px
  int step = 0;        ///< from one group to the next, 1 to `size` px
  int iterations = 0;  ///< 1 to 100
  int threads = 0;     ///< 0: all cores; the result does not depend on it
  /// Share of the work that is done, after each part of it.
  std::function<void(double)> on_progress = {};
  std::stop_token cancel = {};  ///< ends soon, with the best so far
};

/// y [1,c,h,w] -> the clean picture of the same shape, not clamped. A picture
/// smaller than a patch has smaller patches.
/// known: [1,1,h,w] or y's shape, 0 where a value of y tells nothing (a hole, salt or pepper);
/// these are filled. Empty: all are known. Memory: about 12 times y and 45 bytes for each pixel.
/// Time is in proportion to pixels, channels and iterations. throws Error{bad_argument} for options
/// out of range or another number of channels, Error{numeric} for a known value that is NaN or
/// infinite.
Tensor patches_denoise(const Tensor& y, const NoiseModel& noise, const PatchOptions& options = {},
                       const Tensor& known = {});

/// One such step from a first estimate of y's shape, the pilot: another method's result, in which
/// the detail that both agree on comes back.
Tensor patches_step(const Tensor& y, const Tensor& pilot, const NoiseModel& noise,
                    const PatchOptions& options = {}, const Tensor& known = {});

/// The same for a picture: values in [0,1], `source` carried on. Without a model the noise is
/// estimated.
Image patches_denoise(const Image& noisy, const PatchOptions& options = {});
Image patches_denoise(const Image& noisy, const NoiseModel& noise,
                      const PatchOptions& options = {});

}  // namespace unmar
