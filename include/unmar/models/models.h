#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "unmar/graph/graph.h"

/// Untrained networks: plain structs of options, and functions that write them into a graph.
/// docs/networks.md compares them.
namespace unmar {

/// How an encoder halves. stride: the convolution does it. max, average, lanczos2, lanczos3: in
/// `skip` behind the convolution, as in the original, else before it; an odd last row is dropped.
/// area, bilinear: resized to the half, rounded up, before the convolution.
enum class DownsampleMode { stride, max, average, area, bilinear, lanczos2, lanczos3 };
/// How a decoder doubles. transposed: a 2x2 convolution transposed; pixel_shuffle: a 3x3
/// convolution to four times the channels, then PixelShuffle. Only these two learn.
enum class UpsampleMode { nearest, bilinear, bicubic, transposed, pixel_shuffle };
/// What becomes of the encoder's features at each level of the decoder. add: as in residual
/// networks, through a 1x1 convolution where the channels differ.
enum class SkipMode { concat, add, none };
/// group: as many groups as the channels allow, eight at most.
enum class NetworkNorm { batch, instance, group, none };
enum class NetworkActivation { none, relu, leaky_relu, elu, silu, gelu, tanh, sigmoid };

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
  std::vector<UpsampleMode> upsample = {UpsampleMode::bilinear};  ///< (upsample_mode)
  bool align_corners = false;                                     ///< of bilinear up-sampling
  SkipMode skip_mode = SkipMode::concat;  ///< add: `skip` then only says where, 0 for nowhere
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::leaky_relu;  ///< (act_fun), slope 0.2
  bool one_by_one_up = true;                                     ///< (need1x1_up)
  bool sigmoid = true;                                           ///< (need_sigmoid)
  bool bias = true;                                              ///< (need_bias)
};

/// U-Net of Ronneberger et al., MICCAI 2015, in today's common form. DoubleConv: 3x3 convolution,
/// norm, activation, twice. Encoder: DoubleConv, then `depth` times down-sampling and DoubleConv
/// with twice the channels. Decoder: up-sampling, join, DoubleConv. Head: 1x1 convolution.
struct UnetOptions {
  int input_channels = 0;   ///< 0: those of the input it is written over
  int output_channels = 0;  ///< 0: those of the picture
  int hidden_size = 64;     ///< channels at full size
  /// true: bilinear up-sampling, and half the channels at the bottom so that up-sampling need not
  /// halve them. false: transposed convolutions.
  bool bilinear = true;
  std::optional<UpsampleMode> upsample = {};  ///< another one than `bilinear` says
  bool align_corners = true;                  ///< of bilinear up-sampling
  int depth = 4;                              ///< times the size is halved
  DownsampleMode downsample = DownsampleMode::max;
  SkipMode skip_mode = SkipMode::concat;
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::relu;
  Border border = Border::zero;
  bool sigmoid = true;
  bool bias = false;  ///< of the 3x3 convolutions
};

/// The residual network of the Deep Image Prior code: 3x3 convolution and activation; `blocks`
/// times (convolution, norm, activation, convolution, norm) added to what went in; convolution,
/// norm; 3x3 head. All at full size.
struct ResnetOptions {
  int blocks = 8;
  int channels = 32;
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::leaky_relu;
  Border border = Border::reflect;
  bool sigmoid = true;
  bool bias = true;
};

/// Deep Decoder of Heckel and Hand, ICLR 2019: `layers` times (1x1 convolution, up-sampling by 2,
/// activation, norm), once more without up-sampling, 1x1 head. Too few parameters to learn noise;
/// its input has 1 / 2^layers of the picture's size.
struct DecoderOptions {
  int layers = 5;
  int channels = 128;
  UpsampleMode upsample = UpsampleMode::bilinear;
  bool align_corners = false;
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::relu;
  bool sigmoid = true;
  bool bias = false;  ///< of all convolutions but the head
};

/// ConvDecoder of Darestani and Heckel, 2021: `layers` times (resize to the next of sizes that grow
/// by one ratio, 3x3 convolution, activation, norm), once more at full size, 1x1 head.
struct ConvDecoderOptions {
  int layers = 6;
  int channels = 128;
  int input_size = 8;  ///< shorter side of the input, at most that of the picture
  UpsampleMode upsample = UpsampleMode::nearest;  ///< nearest, bilinear or bicubic
  bool align_corners = false;
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::relu;
  Border border = Border::zero;
  bool sigmoid = true;
  bool bias = true;
};

/// For comparison: `layers` times (convolution, norm, activation) at full size and a 1x1 head,
/// without any skip or change of size.
struct PlainOptions {
  int layers = 6;
  int channels = 64;
  int kernel = 3;
  NetworkNorm norm = NetworkNorm::batch;
  NetworkActivation activation = NetworkActivation::leaky_relu;
  Border border = Border::reflect;
  bool sigmoid = true;
  bool bias = true;
};

/// Any network; its name on the command line and in files is that of network_name().
using NetworkOptions = std::variant<SkipOptions, UnetOptions, ResnetOptions, DecoderOptions,
                                    ConvDecoderOptions, PlainOptions>;

std::vector<std::string> network_names();  ///< skip, unet, resnet, decoder, convdecoder, plain
std::string network_name(const NetworkOptions& options);
/// throws Error{bad_argument} naming the nearest one if there is no such network.
NetworkOptions default_network(std::string_view name);

/// Writes the network over z [n,c,h,w], which has the size that network_input_size() says or a
/// larger one. Returns its output [n,image.c,H,W] with H >= image.h, W >= image.w: crop what is
/// over. throws Error{bad_argument} if the options contradict each other or z does not suit them.
NodeId write_network(Graph& graph, NodeId z, const Shape& image, const NetworkOptions& options);

struct Size {
  int h = 0, w = 0;
  bool operator==(const Size&) const = default;
};
/// Size of z for a picture of image.h x image.w. `skip`: the picture's where every scale has a skip
/// and strided down-sampling, else the next multiples of 2^scales, never below what reflection
/// needs at the deepest scale. Decoders: smaller than the picture. throws Error{bad_argument} if
/// the picture is too small for the depth, naming one that fits.
Size network_input_size(const Shape& image, const NetworkOptions& options);

/// One JSON object: "network" has the name, every option its key, enumerators their names.
std::string network_to_json(const NetworkOptions& options);
/// Options that are not given keep their defaults. `where` opens error texts, e.g. a file name.
/// throws Error{bad_argument} naming the key that is unknown or has a value that will not do.
NetworkOptions network_from_json(std::string_view text, const std::string& where);

}  // namespace unmar
