#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cuda/lower.h"
#include "engine/plan/node_plan.h"
#include "engine/plan/places.h"

/// What the files of this folder share: each lowers one family of ops.
namespace unmar::cuda {

/// src, dst and, for backward, d_dst and d_src; the last two may be empty.
struct UnaryPlaces {
  Place src, dst, d_dst;
  GradPlace d_src;
};

/// What a norm leaves behind, by picture and channel.
struct NormCells {
  Buffer *mean = nullptr, *rstd = nullptr, *scale = nullptr, *shift = nullptr;
  Act act = {act_none, 1.f};
};

/// Parts of what a norm needs to know of its source, by picture, chunk of pixels, and channel.
struct Moments {
  Buffer *mean = nullptr, *square = nullptr;
  unsigned length = 0;  ///< pixels of a chunk
  int count = 0;        ///< chunks of a picture
};

/// The gradient in front of a norm that the convolution there works out while it makes it ready:
/// what Lowering::grad() has of the convolution is the one behind the norm. Empty until the norm is
/// lowered.
struct GradientInFront {
  Place value;  ///< in front of the norm
  NormCells norm;
  Buffer *offset = nullptr, *slope = nullptr;  ///< as `norm` by picture and channel
};

struct WeightOperands;

/// A graph while it is turned into steps: where the values of its nodes lie, and what has been
/// lowered of it so far.
class Lowering {
 public:
  using Emit = std::function<void(Emitter&)>;

  Lowering(const Graph& graph, const std::vector<ParamPlace>& params,
           const CompileOptions& options);
  Lowered run();

  const Node& node(NodeId n) const { return g_.node(n); }
  const GraphPlan& plan() const { return plan_; }
  std::uint64_t seed() const { return seed_; }
  Precision precision() const { return precision_; }
  std::size_t band_bytes() const { return band_bytes_; }
  Buffer* pass() const { return out_.pass; }

  const Place& value(NodeId n) const { return out_.value[at(n)]; }
  const Place& grad(NodeId n) const { return out_.grad[at(n)]; }
  GradPlace grad_of(NodeId n, std::size_t slot) const {
    return places_.grad_of(plan_.sources(n)[slot], n, slot);
  }
  UnaryPlaces unary(NodeId n) const {
    return {value(plan_.sources(n)[0]), value(n), grad(n), grad_of(n, 0)};
  }
  /// What n reads first: if that is a norm that is not stored, its source and the norm.
  std::pair<Place, NormCells> folded_source(NodeId n) const;
  /// Of the value of n, if its step makes them; empty until that is lowered, and else.
  Moments& moments_of(NodeId n) { return moments_[at(n)]; }
  /// Whether n is a convolution, and a norm asks for the moments of its value.
  bool wants_moments(NodeId n) const;
  NormCells& norm_at(NodeId n) { return cells_[at(n)]; }
  /// Whether n is a convolution whose bias makes no difference: its gradient is 0.
  bool bias_is_idle(NodeId n) const { return bias_is_idle_[at(n)]; }
  /// Null unless n is a convolution whose one reader is a norm that leaves its gradient to it.
  const std::shared_ptr<GradientInFront>& gradient_in_front(NodeId n) const {
    return gradients_[at(n)];
  }
  /// Parameter i of a node; empty if it has fewer.
  ParamPlace param(const Node& n, std::size_t i) const {
    return i < n.params.size() ? params_[static_cast<std::size_t>(n.params[i])] : ParamPlace{};
  }

  void add(NodeId n, Emit forward, Emit backward, Emit again = {});
  /// A step that makes (a part of) the value of n and can do so again; `again`: forward, if empty.
  void add_maker(NodeId n, const Emit& forward, Emit backward, Emit again = {});

  /// Complete once all is lowered.
  const std::shared_ptr<WeightOperands>& weights() { return weights_; }

  Buffer* make(std::size_t floats) { return out_.buffers.make(floats); }
  Place make_place(const Shape& shape) { return out_.buffers.place(shape); }
  /// Keeps its values from one pass to the next.
  Buffer* make_lasting(std::size_t floats) {
    return out_.kept.emplace_back(out_.buffers.make(floats));
  }
  /// What is launched in front of the parameters' update.
  void add_follower(Emit follow) { out_.followers.push_back(std::move(follow)); }
  Buffer* scratch(std::size_t floats) { return out_.buffers.make_scratch(floats); }
  template <class T>
  Buffer* table(const std::vector<T>& values) {
    Buffer* buffer = make(0);
    fill(buffer, values);
    return buffer;
  }

 private:
  std::size_t count() const { return g_.nodes().size(); }
  template <class T>
  void fill(Buffer* buffer, const std::vector<T>& values) {
    std::vector<std::byte> content(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(content.data(), values.data(), content.size());
    buffer->floats = (content.size() + sizeof(float) - 1) / sizeof(float);
    out_.tables.push_back({buffer, std::move(content)});
  }
  void find_gradients_in_front();
  void add_cotangent(NodeId n);
  void add_recompute(NodeId n);

  const Graph& g_;
  const std::vector<ParamPlace>& params_;
  std::uint64_t seed_;
  Precision precision_;
  bool is_large_;
  std::size_t band_bytes_;
  std::vector<NodeId> roots_;
  GraphPlan plan_;
  Lowered out_;
  Places places_;
  std::vector<bool> bias_is_idle_;
  std::vector<std::shared_ptr<GradientInFront>> gradients_;  ///< at the convolution
  std::vector<Moments> moments_;
  std::vector<NormCells> cells_;                  ///< of norms, at the node whose value they make
  std::vector<std::vector<std::size_t>> makers_;  ///< steps that make a node's value
  std::shared_ptr<WeightOperands> weights_;
};

// ---- one row per op: adds the steps of node n
// -----------------------------------------------------

// given: nothing is launched
inline void lower_op(Lowering&, NodeId, const Input&) {}
inline void lower_op(Lowering&, NodeId, const Constant&) {}
inline void lower_op(Lowering&, NodeId, const Learned&) {}
// convolution.cpp
void lower_op(Lowering&, NodeId, const Conv2d&);
void lower_op(Lowering&, NodeId, const ConvTranspose2d&);
// norm.cpp
void lower_op(Lowering&, NodeId, const Norm&);
// pointwise.cpp
void lower_op(Lowering&, NodeId, const Jitter&);
void lower_op(Lowering&, NodeId, const Dropout&);
void lower_op(Lowering&, NodeId, const Activation&);
void lower_op(Lowering&, NodeId, const Add&);
void lower_op(Lowering&, NodeId, const Multiply&);
// resampling.cpp
void lower_op(Lowering&, NodeId, const Linear&);
void lower_op(Lowering&, NodeId, const Filter&);
void lower_op(Lowering&, NodeId, const Concat&);
void lower_op(Lowering&, NodeId, const unmar::MaxPool&);
void lower_op(Lowering&, NodeId, const PixelShuffle&);
// attention.cpp
void lower_op(Lowering&, NodeId, const Attention&);
void lower_op(Lowering&, NodeId, const TimeEmbedding&);
// loss.cpp
void lower_op(Lowering&, NodeId, const Mse&);
void lower_op(Lowering&, NodeId, const L1&);
void lower_op(Lowering&, NodeId, const BceWithLogits&);
void lower_op(Lowering&, NodeId, const TotalVariation&);
void lower_op(Lowering&, NodeId, const WeightedSum&);

// ---- steps that several families need
// -------------------------------------------------------------

/// Whether what is added to all of a channel makes no difference behind the norm. (norm.cpp)
bool takes_out_bias(const Norm& norm, int channels);
/// The norm, and the activation behind it, whose result is the value of `result`. (norm.cpp)
void add_norm(Lowering& l, NodeId norm, NodeId result, Act act);
/// Channels of a pixel become a block of pixels; channels_last: in which order they lie.
/// (resampling.cpp)
void add_shuffle(Lowering& l, NodeId n, int factor, bool channels_last, const ParamPlace& bias,
                 const UnaryPlaces& p);

// ---- what launches are made of (shared.cpp)
// -------------------------------------------------------

inline unsigned size(int i) { return static_cast<unsigned>(i); }
inline unsigned count_of(const Shape& s) { return static_cast<unsigned>(s.count()); }
inline unsigned pixels_of(const Shape& s) { return size(s.h) * size(s.w); }
inline unsigned all_pixels_of(const Shape& s) { return size(s.n) * pixels_of(s); }
/// Four elements at a time.
inline bool is_wide(const Place& place) {
  return place.shape.c % 4 == 0 && place.ld % 4 == 0 && place.offset % 4 == 0;
}
/// Blocks of a pass over channels: kernels/lanes.h, Lanes.
inline unsigned lane_blocks(const Shape& s, bool wide) {
  return blocks(s.count() / (wide ? 4 : 1));
}
inline const Pass* pass_at(Emitter& e, Buffer* pass) {
  return reinterpret_cast<const Pass*>(e.at(pass));
}

/// How the pixels of a picture are cut for sums in two launches.
struct Chunks {
  explicit Chunks(unsigned pixels) {
    constexpr unsigned kLeast = 256, kMost = 1024;
    length = std::max(kLeast, (pixels + kMost - 1) / kMost);
    count = static_cast<int>((pixels + length - 1) / length);
  }
  unsigned length;
  int count;
};

/// to = src, or += src.
void copy(Emitter& e, const Place& src, const GradPlace& to);

/// Sums over the pixels of each group: the pictures, or all in one. parts: of column_parts().
void sum_columns(Emitter& e, const Place& src, int groups, Buffer* parts, float* dst,
                 std::ptrdiff_t dst_ld, bool accumulate);
Buffer* column_parts(Lowering& l, const Shape& s);

/// How a reader works the norm out.
Folded fold_of(Emitter& e, const NormCells& norm);

}  // namespace unmar::cuda
