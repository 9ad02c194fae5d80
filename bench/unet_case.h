#pragma once

#include <vector>

#include "unmar/models/ddpm_unet.h"

namespace unmar::bench {

/// The noise predictor that updates are timed with; torch_unet.py has the same. widths: one per
/// level, attention at the second.
inline DdpmUnetOptions unet_case(const std::vector<int>& widths, int channels) {
  DdpmUnetOptions o = ddpm_cifar10_unet();
  o.dropout = 0;
  o.in_channels = o.out_channels = channels;
  o.block_out_channels = widths;
  o.layers_per_block = 1;
  o.norm_num_groups = 16;
  o.down_block_types.assign(widths.size(), DdpmBlock::resnet);
  o.up_block_types = o.down_block_types;
  o.down_block_types[1] = o.up_block_types[widths.size() - 2] = DdpmBlock::attention;
  return o;
}

}  // namespace unmar::bench
