#pragma once

#include <vector>

#include "unmar/graph.h"

/// Functions that write a network into a graph.
namespace unmar {

enum class DownsampleMode { stride, average, max, lanczos2, lanczos3 };
enum class NetworkActivation { leaky_relu, elu, swish, none };

/// The encoder-decoder with skip connections of Ulyanov et al., "Deep Image Prior", CVPR 2018.
/// One entry per scale, finest first; the vectors with one entry serve all scales. The names in
/// brackets are those of the original code.
struct SkipOptions {
  std::vector<int> down = {128, 128, 128, 128, 128};   ///< channels (num_channels_down)
  std::vector<int> up = {128, 128, 128, 128, 128};     ///< channels (num_channels_up)
  std::vector<int> skip = {4, 4, 4, 4, 4};             ///< channels, 0: no skip (num_channels_skip)
  std::vector<int> kernel_down = {3};                  ///< (filter_size_down)
  std::vector<int> kernel_up = {3};                    ///< (filter_size_up)
  int kernel_skip = 1;                                 ///< (filter_skip_size)
  Border border = Border::reflect;                     ///< (pad)
  DownsampleMode downsample = DownsampleMode::stride;  ///< (downsample_mode)
  std::vector<UpsampleKind> upsample = {UpsampleKind::bilinear};  ///< (upsample_mode)
  NetworkActivation activation = NetworkActivation::leaky_relu;   ///< (act_fun), slope 0.2
  bool one_by_one_up = true;                                      ///< (need1x1_up)
  bool sigmoid = true;                                            ///< (need_sigmoid)
  bool bias = true;                                               ///< (need_bias)
};

/// Writes the network over z [n,c,h,w]; returns its output [n,out_channels,H,W] with H >= h, W >= w
/// only differing from h, w where a scale without skip meets an odd size.
/// throws Error{bad_argument} if the lists disagree or z is too small (see skip_input_size).
NodeId skip_network(Graph& graph, NodeId z, int out_channels, const SkipOptions& options);

/// Size of z with which the output covers h x w: h, w themselves where every scale has a skip and
/// strided down-sampling, else the next multiples of 2^scales; never below what reflection needs at
/// the deepest scale.
struct Size {
  int h = 0, w = 0;
};
Size skip_input_size(int h, int w, const SkipOptions& options);

}  // namespace unmar
