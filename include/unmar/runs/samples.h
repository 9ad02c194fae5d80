#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/base/option.h"
#include "unmar/diffusion/weights.h"
#include "unmar/engine/engine.h"
#include "unmar/image/image.h"

namespace unmar {

struct SamplesRequest {
  int count = 16;
  int size = 0;  ///< px; 0: what the model is for
  std::string sampler = "ddim";
  int steps = 50;
  double eta = 0;
  std::optional<Spacing> spacing = {};  ///< none: what the model says
  std::uint64_t seed = 0;
  int threads = 0;
  std::string engine = "auto";
  Precision precision = Precision::tf32;  ///< CompileOptions::precision
};

const std::vector<Option<SamplesRequest>>& sampling_options();  ///< all of its members

struct SamplesProgress {
  int done, steps;  ///< of all pictures
  /// All pictures as they are guessed to become; those that are not begun are gray.
  const std::function<std::vector<Image>()>& so_far;
};

/// Pictures out of noise. Picture i of a seed starts from the same noise, however many there are.
/// Cancelled, also within a step: those that are done, perhaps none. on_estimate is told about how
/// many seconds all will take, if they are many. As many are drawn at once as memory allows.
/// throws Error{too_large} if it does not suffice for one; what sample() and UnetModel throw.
std::vector<Image> draw_samples(const DiffusersModel& model, const SamplesRequest& request,
                                const std::function<void(const SamplesProgress&)>& on_step = {},
                                std::stop_token cancel = {},
                                const std::function<void(double)>& on_estimate = {});

/// The first `count` of x [n,c,h,w], which is in [-1,1].
std::vector<Image> pictures_of(const Tensor& x, int count);

/// Side by side in rows, with lines of `gap` px between them, each picture `zoom` times as large.
/// columns 0: about as many as rows.
Image sheet_of(const std::vector<Image>& pictures, int columns = 0, int zoom = 1, int gap = 2);

}  // namespace unmar
