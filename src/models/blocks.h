#pragma once

#include <string>

#include "unmar/models/models.h"

namespace unmar {

/// The layers that networks are made of. Every function takes and returns nodes of the graph it was
/// made with; `name` is the prefix of the new nodes' names.
class Blocks {
 public:
  /// What the layers of one network have in common.
  struct Style {
    NetworkNorm norm = NetworkNorm::batch;
    NetworkActivation activation = NetworkActivation::leaky_relu;
    Border border = Border::zero;
    bool bias = true;
    bool align_corners = false;
  };
  Blocks(Graph& graph, const Style& style) : g_(graph), style_(style) {}

  NodeId conv(NodeId x, int channels, int kernel, int stride, const std::string& name);
  NodeId norm(NodeId x, const std::string& name);
  NodeId activate(NodeId x, const std::string& name);
  /// conv - norm - activation.
  NodeId block(NodeId x, int channels, int kernel, int stride, const std::string& name);

  /// Half the size, without a convolution; stride: x itself.
  NodeId downsample(NodeId x, DownsampleMode mode, const std::string& name);
  /// Twice the size. The learned modes turn the channels into `channels`, the others leave them.
  NodeId upsample(NodeId x, UpsampleMode mode, int channels, const std::string& name);
  /// Any size, by a mode that does not learn.
  NodeId resize(NodeId x, UpsampleMode mode, int h, int w, const std::string& name);
  /// Makes a decoder's x as large as the encoder's features at the same level, by zeros around it
  /// or by cropping.
  NodeId match_size(NodeId x, const Shape& shape, const std::string& name);
  /// a + b, a through a 1x1 convolution if its channels differ.
  NodeId add(NodeId a, NodeId b, const std::string& name);

  /// 1x1 (or larger) convolution to the picture's channels and, if wanted, a sigmoid.
  NodeId head(NodeId x, int channels, int kernel, bool sigmoid, bool bias = true);

  Graph& graph() { return g_; }
  int channels(NodeId x) const { return g_.shape(x).c; }

 private:
  Graph& g_;
  Style style_;
};

bool learns(UpsampleMode mode);

/// Even the largest picture is one pixel then; twice as many would overflow sizes.
inline constexpr int kMaxHalvings = 16;

/// throws Error{bad_argument} "<network>: <what> must be at least <least>, got <value>".
void require_at_least(int value, int least, const char* network, const char* what);

// Each network in its file; the public functions choose among them.
NodeId write(Graph& graph, NodeId z, const Shape& image, const SkipOptions& options);
NodeId write(Graph& graph, NodeId z, const Shape& image, const UnetOptions& options);
NodeId write(Graph& graph, NodeId z, const Shape& image, const ResnetOptions& options);
NodeId write(Graph& graph, NodeId z, const Shape& image, const DecoderOptions& options);
NodeId write(Graph& graph, NodeId z, const Shape& image, const ConvDecoderOptions& options);
NodeId write(Graph& graph, NodeId z, const Shape& image, const PlainOptions& options);
Size input_size(const Shape& image, const SkipOptions& options);
Size input_size(const Shape& image, const UnetOptions& options);
Size input_size(const Shape& image, const ResnetOptions& options);
Size input_size(const Shape& image, const DecoderOptions& options);
Size input_size(const Shape& image, const ConvDecoderOptions& options);
Size input_size(const Shape& image, const PlainOptions& options);

}  // namespace unmar
