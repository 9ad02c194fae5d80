#pragma once

#include <string>

#include "unmar/base/random.h"
#include "unmar/diffusion/weights.h"

namespace unmar::test {

/// A noise predictor of 8x8 pictures with random weights. predicts_nothing: its last layer is 0.
inline DiffusersModel tiny_model(int channels = 1, bool predicts_nothing = false) {
  DiffusersModel model;
  DdpmUnetOptions& unet = model.unet;
  unet.sample_size = 8;
  unet.in_channels = unet.out_channels = channels;
  unet.down_block_types = {DdpmBlock::resnet};
  unet.up_block_types = {DdpmBlock::resnet};
  unet.block_out_channels = {8};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  unet.add_attention = false;
  for (const TensorSpec& spec : unet_tensors(unet)) {
    Shape shape{1, 1, 1, 1};
    if (spec.shape.size() == 1)
      shape.c = static_cast<int>(spec.shape[0]);
    else {
      shape.n = static_cast<int>(spec.shape[0]);
      shape.c = static_cast<int>(spec.shape[1]);
    }
    if (spec.shape.size() == 4) {
      shape.h = static_cast<int>(spec.shape[2]);
      shape.w = static_cast<int>(spec.shape[3]);
    }
    Tensor values(shape);
    if (!(predicts_nothing && spec.name.starts_with("conv_out")))
      Random(5, spec.name).normal(values.values(), 0.f, 0.2f);
    model.weights.tensors.push_back({spec.name, spec.shape, std::move(values)});
  }
  return model;
}

}  // namespace unmar::test
