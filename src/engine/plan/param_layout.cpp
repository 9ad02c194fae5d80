#include "engine/plan/param_layout.h"

#include <algorithm>

#include "base/fail.h"
#include "engine/plan/layout.h"
#include "engine/plan/memory.h"

namespace unmar {
namespace {

View dense_view(float* data, const Shape& s) { return {data, s.n, s.h, s.w, s.c, s.c}; }

}  // namespace

ParamLayout::ParamLayout(const Graph& graph) : graph_(graph) {
  for (const Param& p : graph.params()) {
    offsets_.push_back(floats_);
    floats_ += padded(p.shape.count());
  }
}

/// The kernels of a node come before its bias. A transposed convolution's weight is
/// [in][out][taps] in the documents.
ParamLayout::Order ParamLayout::order(std::size_t param) const {
  const Node& node = graph_.node(graph_.params()[param].node);
  const bool is_first = node.params[0] == static_cast<int>(param);
  if (std::holds_alternative<Conv2d>(node.op) && is_first) return Order::taps_first;
  const bool transposed = std::holds_alternative<ConvTranspose2d>(node.op) && is_first;
  if (transposed || std::holds_alternative<Learned>(node.op)) return Order::channels_last;
  return Order::same;
}

std::vector<Tensor> ParamLayout::to_tensors(const float* flat) const {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < graph_.params().size(); ++i) {
    Tensor& tensor = tensors.emplace_back(graph_.params()[i].shape);
    const float* from = flat + offsets_[i];
    switch (order(i)) {
      case Order::taps_first:
        weights_from_engine(from, tensor);
        break;
      case Order::channels_last:
        from_channels_last(dense_view(const_cast<float*>(from), tensor.shape()), tensor);
        break;
      case Order::same:
        std::copy_n(from, tensor.count(), tensor.data());
    }
  }
  return tensors;
}

void ParamLayout::from_tensors(const std::vector<Tensor>& tensors, float* flat) const {
  require(tensors);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    float* to = flat + offsets_[i];
    switch (order(i)) {
      case Order::taps_first:
        weights_to_engine(tensors[i], to);
        break;
      case Order::channels_last:
        to_channels_last(tensors[i], dense_view(to, tensors[i].shape()));
        break;
      case Order::same:
        std::copy_n(tensors[i].data(), tensors[i].count(), to);
    }
  }
}

void ParamLayout::require(const std::vector<Tensor>& tensors) const {
  const auto params = graph_.params();
  if (tensors.size() != params.size())
    fail(ErrorCode::bad_argument, "restore: {} tensors for {} parameters", tensors.size(),
         params.size());
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].shape() != params[i].shape)
      fail(ErrorCode::bad_argument, "restore: '{}' is {}, got {}", params[i].name,
           to_string(params[i].shape), to_string(tensors[i].shape()));
}

}  // namespace unmar
