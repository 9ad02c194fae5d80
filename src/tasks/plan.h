#pragma once

#include <memory>
#include <optional>

#include "unmar/tasks/tasks.h"
#include "unmar/tensor/tiles.h"

namespace unmar {

/// What a task makes of its input before the fit; how the fitted tensor becomes the result.
struct Plan {
  std::unique_ptr<Operator> A;
  Tensor y;            ///< the observation, of A's output shape
  Image input;         ///< the input in the size of the result: what restoring has to beat
  ImageSource source;  ///< the result carries it on
  /// How much of the result is `input`, 0 to 1; of its channels or one; empty: nothing.
  Image paste;
  double strength = 1;  ///< share of the fitted tensor in the result
  ValueCounts counts = {};
  /// Of y, unless the fit works alone: it need not know.
  std::optional<NoiseModel> noise = {};
  /// That the fit goes through one by one; nothing: it is of the whole.
  std::optional<TileGrid> tiles = {};
};

/// A hole of 32x32 px or more gets no skip connections and coordinates to start from, as the paper
/// fills regions: skips carry the noise of the input into it (docs/results.md). `given` comes back
/// as it is if holes are smaller, for the paper's preset, or if network, input or prior were
/// chosen. throws Error{bad_input} for a mask that does not suit the picture.
RestoreOptions suit_hole(const RestoreOptions& given, const RestoreOptions& resolved,
                         const Image& holed, const Image* mask);

/// resolve(), after suit_hole() for inpaint. throws as both.
RestoreOptions resolve_for(Task task, const Image& observed, const Image* mask,
                           const RestoreOptions& given);

/// throws as restore() for pictures that do not suit the task.
Plan make_plan(Task task, const Image& observed, const Image* mask, const RestoreOptions& resolved);

/// Of the piece that is fitted at once. throws Error{too_large} as require_memory() of options.h.
void require_memory(Task task, const Image& observed, const RestoreOptions& resolved,
                    const Engine& engine);

/// With the line that says who made the picture.
SharedMetadata with_maker(Task task, const SharedMetadata& metadata);

/// The noise in y [1,c,h,w], as far as the options do not say it.
NoiseModel noise_of(const Tensor& y, const RestoreOptions& resolved);

/// 1 where a value of the observation is fully known, else 0; of its shape.
Tensor fully_known(const Plan& plan);
/// Pixels of the observation that are fully known.
double count_known(const Plan& plan);

/// throws Error{bad_input} unless the reference has the size and channels of the result.
void check_reference(Task task, const Image& observed, const Plan& plan, const Image& reference);

/// throws Error{bad_input} unless the guide has the size of the result.
void check_guide(Task task, const Image& guide, int width, int height);

/// restored [1,c,h,w] -> the picture to hand out.
Image finish(const Plan& plan, const Tensor& restored);

}  // namespace unmar
