#include "engine/cuda/lower.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/overloaded.h"
#include "base/philox.h"
#include "engine/plan/reach.h"

namespace unmar::cuda {
namespace {

Act to_cuda_act(const Activation& op) {
  switch (op.kind) {
    case ActivationKind::relu:
      return {act_relu, 0.f};
    case ActivationKind::leaky_relu:
      return {act_leaky, op.slope};
    case ActivationKind::elu:
      return {act_elu, op.slope};
    case ActivationKind::silu:
      return {act_silu, 0.f};
    case ActivationKind::gelu:
      return {act_gelu, 0.f};
    case ActivationKind::tanh:
      return {act_tanh, 0.f};
    case ActivationKind::sigmoid:
      return {act_sigmoid, 0.f};
  }
  return {act_none, 1.f};
}

unsigned count_of(const Shape& s) { return static_cast<unsigned>(s.count()); }
unsigned pixels_of(const Shape& s) {
  return static_cast<unsigned>(s.h) * static_cast<unsigned>(s.w);
}
unsigned size(int i) { return static_cast<unsigned>(i); }

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

/// Into how many parts the sum of a product is cut, so that all of a large card has work.
int product_splits(int rows, int columns, int steps) {
  constexpr int kBlocks = 264, kLeastSteps = 4, kMost = 64;
  const int blocks = ((rows + 127) / 128) * ((columns + 63) / 64);
  return std::clamp(std::min((kBlocks + blocks - 1) / blocks, steps / kLeastSteps), 1, kMost);
}

/// Four floats at a time.
bool is_wide(const Place& place) {
  return place.shape.c % 4 == 0 && place.ld % 4 == 0 && place.offset % 4 == 0;
}
bool same_place(const Place& a, const Place& b) {
  return a.buffer == b.buffer && a.offset == b.offset;
}

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

class Lowering {
 public:
  Lowering(const Graph& graph, const std::vector<ParamPlace>& params, const CompileOptions& options)
      : g_(graph),
        params_(params),
        seed_(options.seed),
        fp32_(options.precision == Precision::fp32),
        roots_(backward_roots(graph, options.backward_from)),
        plan_(graph, roots_, {.convolves_in_place = false}),
        places_(graph, plan_, roots_, out_.buffers),
        cells_(count()),
        makers_(count()) {
    out_.value = places_.values();
    out_.grad = places_.grads();
    for (std::size_t i = 0; i < count(); ++i) {
      if (!std::holds_alternative<Learned>(node(id(i)).op)) continue;
      out_.value[i].buffer->data = param(node(id(i)), 0).value;
      if (out_.grad[i]) out_.grad[i].buffer->data = param(node(id(i)), 0).grad;
    }
    out_.pass = out_.buffers.make(sizeof(Pass) / sizeof(float));
    std::size_t most = 0;
    for (const NodeId root : roots_) most = std::max(most, g_.shape(root).count());
    out_.cotangent = out_.buffers.make(most);
  }

  Lowered run() {
    for (std::size_t i = 0; i < count(); ++i) {
      if (!plan_[id(i)].fused_into.valid()) lower_node(id(i));
      if (places_.takes_cotangent(id(i))) add_cotangent(id(i));
      // Backward runs these in reverse: what others are made of comes first.
      for (std::size_t r = i; r-- > 0;)
        if (plan_[id(r)].recompute_at == static_cast<int>(i)) add_recompute(id(r));
    }
    return std::move(out_);
  }

 private:
  using Emit = std::function<void(Emitter&)>;

  std::size_t count() const { return g_.nodes().size(); }
  static NodeId id(std::size_t i) { return {static_cast<int>(i)}; }
  const Node& node(NodeId n) const { return g_.node(n); }
  const Place& value(NodeId n) const { return out_.value[at(n)]; }
  const Place& grad(NodeId n) const { return out_.grad[at(n)]; }
  GradPlace grad_of(NodeId n, std::size_t slot) const {
    return places_.grad_of(plan_.sources(n)[slot], n, slot);
  }
  UnaryPlaces unary(NodeId n) const {
    return {value(plan_.sources(n)[0]), value(n), grad(n), grad_of(n, 0)};
  }
  ParamPlace param(const Node& n, std::size_t i) const {
    return i < n.params.size() ? params_[static_cast<std::size_t>(n.params[i])] : ParamPlace{};
  }

  void add(NodeId n, Emit forward, Emit backward, Emit again = {}) {
    out_.steps.push_back({n, std::move(forward), std::move(backward), std::move(again)});
  }
  /// A step that makes (a part of) the value of n and can do so again; `again`: forward, if empty.
  void add_maker(NodeId n, const Emit& forward, Emit backward, Emit again = {}) {
    add(n, forward, std::move(backward), again ? std::move(again) : forward);
    makers_[at(n)].push_back(out_.steps.size() - 1);
  }
  Buffer* scratch(std::size_t floats) { return out_.buffers.make_scratch(floats); }

  template <class T>
  Buffer* table(const std::vector<T>& values) {
    std::vector<std::byte> content(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(content.data(), values.data(), content.size());
    Buffer* buffer = out_.buffers.make((content.size() + sizeof(float) - 1) / sizeof(float));
    out_.tables.push_back({buffer, std::move(content)});
    return buffer;
  }

  // ---- backward's start, values made again -----------------------------------------------------

  void add_cotangent(NodeId n) {
    const GradPlace d = places_.cotangent(n);
    Buffer *pass = out_.pass, *given = out_.cotangent;
    add(
        n, [](Emitter&) {},
        [=](Emitter& e) {
          const Shape& s = d.place.shape;
          e.launch<Kernel::put_cotangent>(
              {blocks(s.count())},
              {pass_at(e, pass),
               {e.at(given), s.c, e.at(d.place), d.place.ld, s.c, count_of(s), d.accumulate},
               n.index});
        });
  }
  static const Pass* pass_at(Emitter& e, Buffer* pass) {
    return reinterpret_cast<const Pass*>(e.at(pass));
  }

  /// Everything that makes the value of n, which is a concat or stands alone.
  void add_recompute(NodeId n) {
    std::vector<Emit> makers;
    const auto take = [&](NodeId of) {
      for (const std::size_t step : makers_[at(of)]) makers.push_back(out_.steps[step].again);
    };
    take(n);
    if (std::holds_alternative<Concat>(node(n).op))
      for (const NodeId s : node(n).src)
        if (plan_[s].value_in == n) take(s);
    add(
        n, [](Emitter&) {},
        [makers](Emitter& e) {
          for (const Emit& make : makers) make(e);
        });
  }

  // ---- pointwise -------------------------------------------------------------------------------

  /// d_src = d_dst, or += that.
  static void pass_gradient_on(Emitter& e, const Place& d_dst, const GradPlace& d_src) {
    if (!d_src || same_place(d_src.place, d_dst)) return;
    const Shape& s = d_dst.shape;
    e.launch<Kernel::copy>({blocks(s.count())},
                           {e.at(d_dst), d_dst.ld, e.at(d_src.place), d_src.place.ld, s.c,
                            count_of(s), d_src.accumulate});
  }

  void add_noise(NodeId n, float amount, bool is_dropout) {
    const UnaryPlaces p = unary(n);
    Buffer* pass = out_.pass;
    const auto key = stream_key(seed_, node(n).name);
    const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, bool accumulate) {
      return Noise{pass_at(e, pass), key,         e.at(src),           e.at(dst), src.ld,
                   dst.ld,           dst.shape.c, count_of(dst.shape), amount,    accumulate};
    };
    const unsigned grid = blocks((p.dst.shape.count() + 3) / 4);
    if (is_dropout)
      add(
          n,
          [=](Emitter& e) { e.launch<Kernel::dropout>({grid}, arguments(e, p.src, p.dst, false)); },
          [=](Emitter& e) {
            if (p.d_src)
              e.launch<Kernel::dropout>({grid},
                                        arguments(e, p.d_dst, p.d_src.place, p.d_src.accumulate));
          });
    else
      add_maker(
          n,
          [=](Emitter& e) { e.launch<Kernel::jitter>({grid}, arguments(e, p.src, p.dst, false)); },
          [=](Emitter& e) { pass_gradient_on(e, p.d_dst, p.d_src); });
  }

  void add_activation(NodeId n, Act act) {
    const UnaryPlaces p = unary(n);
    const Shape s = node(n).shape;
    add(
        n,
        [=](Emitter& e) {
          e.launch<Kernel::activation>(
              {blocks(s.count())}, {e.at(p.src), nullptr, e.at(p.dst), p.src.ld, 0, p.dst.ld, s.c,
                                    count_of(s), act, false});
        },
        [=](Emitter& e) {
          if (!p.d_src) return;
          e.launch<Kernel::activation_grad>(
              {blocks(s.count())},
              {e.at(p.src), e.at(p.d_dst), e.at(p.d_src.place), p.src.ld, p.d_dst.ld,
               p.d_src.place.ld, s.c, count_of(s), act, p.d_src.accumulate});
        });
  }

  /// Sums over the pixels of each group: the pictures, or all in one.
  static void sum_columns(Emitter& e, const Place& src, int groups, Buffer* parts, float* dst,
                          std::ptrdiff_t dst_ld, bool accumulate) {
    const Shape& s = src.shape;
    const unsigned pixels = pixels_of(s) * size(s.n) / size(groups);
    const Chunks chunks(pixels);
    e.launch<Kernel::column_sums>(
        {size(chunks.count), blocks(size(s.c), 32), size(groups)},
        {e.at(src), src.ld, s.c, pixels, chunks.length, chunks.count, e.at(parts)});
    const unsigned count = size(groups) * size(s.c);
    e.launch<Kernel::column_finish>(
        {blocks(count)}, {e.at(parts), s.c, chunks.count, dst, dst_ld, count, accumulate});
  }
  Buffer* column_parts(const Shape& s) {
    // Groups are pictures or all together; either way no more parts than this.
    const Chunks one(pixels_of(s)), all(pixels_of(s) * size(s.n));
    return scratch(static_cast<std::size_t>(std::max(one.count * s.n, all.count)) *
                   static_cast<std::size_t>(s.c));
  }

  void add_add(NodeId n) {
    const Place a = value(node(n).src[0]), b = value(node(n).src[1]), dst = value(n), d = grad(n);
    const GradPlace d_a = grad_of(n, 0), d_b = grad_of(n, 1);
    const Shape s = node(n).shape;
    const bool one_pixel = b.shape != s;
    Buffer* parts = d_b && one_pixel ? column_parts(s) : nullptr;
    add(
        n,
        [=](Emitter& e) {
          e.launch<Kernel::add>({blocks(s.count())},
                                {e.at(a), e.at(b), e.at(dst), a.ld, b.ld, dst.ld, s.c, count_of(s),
                                 one_pixel ? pixels_of(s) : 0, false, false});
        },
        [=](Emitter& e) {
          pass_gradient_on(e, d, d_a);
          if (parts)
            sum_columns(e, d, s.n, parts, e.at(d_b.place), d_b.place.ld, d_b.accumulate);
          else
            pass_gradient_on(e, d, d_b);
        });
  }

  void add_multiply(NodeId n) {
    const Place a = value(node(n).src[0]), b = value(node(n).src[1]), dst = value(n), d = grad(n);
    const GradPlace d_a = grad_of(n, 0), d_b = grad_of(n, 1);
    const Shape s = node(n).shape;
    const bool one_channel = b.shape.c != s.c;
    const auto times = [=](Emitter& e, const Place& x, const Place& y, const Place& to,
                           bool y_one_channel, bool accumulate) {
      e.launch<Kernel::multiply>(
          {blocks(s.count())}, {e.at(x), e.at(y), e.at(to), x.ld, y.ld, to.ld, s.c, count_of(s), 0,
                                y_one_channel, accumulate});
    };
    add(
        n, [=](Emitter& e) { times(e, a, b, dst, one_channel, false); },
        [=](Emitter& e) {
          if (d_a) times(e, d, b, d_a.place, one_channel, d_a.accumulate);
          if (!d_b) return;
          const unsigned pixels = pixels_of(s) * size(s.n);
          if (one_channel)
            e.launch<Kernel::channel_dot>(
                {blocks(pixels)}, {e.at(d), e.at(a), e.at(d_b.place), d.ld, a.ld, d_b.place.ld, s.c,
                                   pixels, d_b.accumulate});
          else
            times(e, d, a, d_b.place, false, d_b.accumulate);
        });
  }

  void add_time_embedding(const TimeEmbedding& o, NodeId n) {
    const UnaryPlaces p = unary(n);
    const int half = o.channels / 2;
    std::vector<double> frequency;
    for (int i = 0; i < half; ++i)
      frequency.push_back(std::pow(10000.0, -i / (half - double{o.freq_shift})));
    Buffer* waves = table(frequency);
    const int count = node(n).shape.n;
    const auto arguments = [=](Emitter& e, const Place& to, bool accumulate) {
      return TimeWaves{e.at(p.src),   reinterpret_cast<const double*>(e.at(waves)),
                       e.at(p.d_dst), e.at(to),
                       p.src.ld,      p.d_dst.ld,
                       to.ld,         count,
                       half,          o.flip_sin_to_cos,
                       accumulate};
    };
    add(
        n,
        [=](Emitter& e) {
          TimeWaves args = arguments(e, p.dst, false);
          e.launch<Kernel::time_embedding>({blocks(size(count) * size(half))}, args);
        },
        [=](Emitter& e) {
          if (p.d_src)
            e.launch<Kernel::time_embedding_grad>({blocks(size(count), 32)},
                                                  arguments(e, p.d_src.place, p.d_src.accumulate));
        });
  }

  // ---- resampling ------------------------------------------------------------------------------

  struct TapTable {
    Buffer *begin, *index, *weight;
    Taps at(Emitter& e) const {
      return {reinterpret_cast<const int*>(e.at(begin)), reinterpret_cast<const int*>(e.at(index)),
              e.at(weight)};
    }
  };
  TapTable tap_table(const LinearMap& map) {
    return {table(map.begin), table(map.index), table(map.weight)};
  }

  void add_linear(NodeId n, const LinearMap& rows, const LinearMap& cols, const UnaryPlaces& p,
                  const NormCells& norm = {}) {
    const TapTable r = tap_table(rows), c = tap_table(cols);
    const auto launch = [](Emitter& e, const Place& src, const Folded& fold, const Place& dst,
                           const TapTable& y, const TapTable& x, bool accumulate) {
      const Shape &from = src.shape, &to = dst.shape;
      e.launch<Kernel::resample>({blocks(to.count())},
                                 {e.at(src), fold, e.at(dst), src.ld, dst.ld, y.at(e), x.at(e),
                                  from.h, from.w, to.h, to.w, to.c, count_of(to), accumulate});
    };
    Emit backward = [](Emitter&) {};
    if (p.d_src) {
      const TapTable back_r = tap_table(transposed(rows)), back_c = tap_table(transposed(cols));
      backward = [=](Emitter& e) {
        launch(e, p.d_dst, {}, p.d_src.place, back_r, back_c, p.d_src.accumulate);
      };
    }
    add_maker(
        n, [=](Emitter& e) { launch(e, p.src, fold_of(e, norm), p.dst, r, c, false); },
        std::move(backward));
  }

  /// How a reader works the norm out.
  static Folded fold_of(Emitter& e, const NormCells& norm) {
    if (!norm.scale) return {};
    const float slope = norm.act.kind == act_none ? 1.f : norm.act.slope;
    return {e.at(norm.scale), e.at(norm.shift), slope};
  }
  /// What n reads first: if that is a norm that is not stored, its source and the norm.
  std::pair<Place, NormCells> folded_source(NodeId n) const {
    const NodeId source = node(n).src[0];
    if (plan_[source].stored) return {value(source), {}};
    return {value(plan_.sources(source)[0]), cells_[at(source)]};
  }

  void add_filter(const Filter& o, NodeId n) {
    const UnaryPlaces p = unary(n);
    const Shape taps = o.taps->shape();
    Buffer* weights = table(std::vector<float>(o.taps->values().begin(), o.taps->values().end()));
    const bool reflect = o.border == Border::reflect;
    const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, bool accumulate) {
      const Shape& s = dst.shape;
      return FilterArgs{e.at(src), e.at(weights), e.at(dst), src.ld,  dst.ld,      s.h,       s.w,
                        s.c,       taps.h,        taps.w,    reflect, count_of(s), accumulate};
    };
    const unsigned grid = blocks(node(n).shape.count());
    add(
        n, [=](Emitter& e) { e.launch<Kernel::filter>({grid}, arguments(e, p.src, p.dst, false)); },
        [=](Emitter& e) {
          if (p.d_src)
            e.launch<Kernel::filter_grad>({grid},
                                          arguments(e, p.d_dst, p.d_src.place, p.d_src.accumulate));
        });
  }

  void add_max_pool(int factor, NodeId n) {
    const UnaryPlaces p = unary(n);
    const Shape &from = p.src.shape, &to = p.dst.shape;
    add(
        n,
        [=](Emitter& e) {
          e.launch<Kernel::max_pool>(
              {blocks(to.count())},
              {e.at(p.src), nullptr, e.at(p.dst), p.src.ld, 0, p.dst.ld, from.h, from.w, to.h, to.w,
               to.c, factor, count_of(to), false});
        },
        [=](Emitter& e) {
          if (!p.d_src) return;
          e.launch<Kernel::max_pool_grad>(
              {blocks(from.count())}, {e.at(p.src), e.at(p.d_dst), e.at(p.d_src.place), p.src.ld,
                                       p.d_dst.ld, p.d_src.place.ld, from.h, from.w, to.h, to.w,
                                       to.c, factor, count_of(from), p.d_src.accumulate});
        });
  }

  /// Channels of a pixel become a block of pixels. channels_last: in which order they lie.
  void add_shuffle(NodeId n, int factor, bool channels_last, const ParamPlace& bias,
                   const UnaryPlaces& p) {
    const Shape from = p.src.shape, to = p.dst.shape;
    const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, const float* with,
                               bool accumulate) {
      return Shuffle{e.at(src), e.at(dst), with,   src.ld,        dst.ld,       from.h,
                     from.w,    to.c,      factor, channels_last, count_of(to), accumulate};
    };
    Buffer* parts = p.d_dst && bias.grad ? column_parts(to) : nullptr;
    const unsigned grid = blocks(to.count());
    add(
        n,
        [=](Emitter& e) {
          e.launch<Kernel::shuffle>({grid}, arguments(e, p.src, p.dst, bias.value, false));
        },
        [=](Emitter& e) {
          if (!p.d_dst) return;
          if (parts) sum_columns(e, p.d_dst, 1, parts, bias.grad, 0, false);
          if (p.d_src)
            e.launch<Kernel::shuffle_grad>(
                {grid}, arguments(e, p.d_dst, p.d_src.place, nullptr, p.d_src.accumulate));
        });
  }

  void add_concat(NodeId n) {
    const Shape& dst = node(n).shape;
    int channel = 0;
    for (std::size_t k = 0; k < node(n).src.size(); ++k) {
      const NodeId s = node(n).src[k];
      const Shape& src = node(s).shape;
      if (plan_[s].value_in != n) {
        const Shape part{dst.n, src.c, dst.h, dst.w};
        const Place d_dst = grad(n) ? slice(grad(n), channel, part) : Place{};
        add_linear(n, crop_map(src.h, dst.h), crop_map(src.w, dst.w),
                   {value(s), slice(value(n), channel, part), d_dst, grad_of(n, k)});
      }
      channel += src.c;
    }
  }

  // ---- convolutions ----------------------------------------------------------------------------

  /// One of the three products; parts: for the pieces of a split sum.
  template <Kernel kTf32, Kernel kFp32>
  static void launch_product(Emitter& e, const ConvProduct& product, int rows, int columns,
                             Buffer* parts, bool fp32) {
    const Grid grid{blocks(size(rows), 128), blocks(size(columns), 64), size(product.splits)};
    if (fp32)
      e.launch<kFp32>(grid, product);
    else
      e.launch<kTf32>(grid, product);
    if (product.splits == 1) return;
    const unsigned count = size(rows) * size(columns);
    e.launch<Kernel::sum_parts>(
        {blocks(count)}, {e.at(parts), product.bias, product.out, product.out_ld, product.splits,
                          columns, count, product.accumulate});
  }
  Buffer* split_parts(int splits, int rows, int columns) {
    if (splits == 1) return nullptr;
    return scratch(static_cast<std::size_t>(splits) * size(rows) * size(columns));
  }

  /// p.src may lie in front of a norm, which is folded in; p.d_src is the gradient behind it.
  void add_product(NodeId n, const Conv2d& o, const UnaryPlaces& p, const NormCells& norm,
                   const ParamPlace& weight, const ParamPlace& bias) {
    const Shape src = p.src.shape, dst = p.dst.shape;
    const ConvShape shape{src.n,
                          src.h,
                          src.w,
                          src.c,
                          dst.h,
                          dst.w,
                          dst.c,
                          o.kernel,
                          o.stride,
                          pad_begin(o),
                          o.border == Border::reflect};
    const bool fp32 = fp32_;
    const int taps = o.kernel * o.kernel, wide_weight = dst.c % 4 == 0;
    const int src_pixels = src.n * src.h * src.w, dst_pixels = dst.n * dst.h * dst.w;
    const auto steps = [](int depth) { return (depth + 15) / 16; };
    const int forward_splits = product_splits(dst_pixels, dst.c, taps * steps(src.c));
    const int data_splits = product_splits(src_pixels, src.c, taps * steps(dst.c));
    const int weight_splits = product_splits(taps * src.c, dst.c, steps(dst_pixels));
    Buffer* forward_parts = split_parts(forward_splits, dst_pixels, dst.c);
    Buffer* data_parts = p.d_src ? split_parts(data_splits, src_pixels, src.c) : nullptr;
    Buffer* weight_parts =
        p.d_dst && weight.grad ? split_parts(weight_splits, taps * src.c, dst.c) : nullptr;
    Buffer* bias_parts = p.d_dst && bias.grad ? column_parts(dst) : nullptr;
    add(
        n,
        [=](Emitter& e) {
          launch_product<Kernel::conv_forward_tf32, Kernel::conv_forward_fp32>(
              e,
              {shape, fold_of(e, norm), e.at(p.src), weight.value, p.src.ld, 0, bias.value,
               e.at(p.dst), p.dst.ld, e.at(forward_parts), forward_splits, is_wide(p.src),
               wide_weight, false},
              dst_pixels, dst.c, forward_parts, fp32);
        },
        [=](Emitter& e) {
          if (!p.d_dst) return;
          if (weight.grad)
            launch_product<Kernel::conv_weight_tf32, Kernel::conv_weight_fp32>(
                e,
                {shape, fold_of(e, norm), e.at(p.src), e.at(p.d_dst), p.src.ld, p.d_dst.ld, nullptr,
                 weight.grad, dst.c, e.at(weight_parts), weight_splits, is_wide(p.src),
                 is_wide(p.d_dst), false},
                taps * src.c, dst.c, weight_parts, fp32);
          if (bias_parts) sum_columns(e, p.d_dst, 1, bias_parts, bias.grad, 0, false);
          if (p.d_src)
            launch_product<Kernel::conv_data_tf32, Kernel::conv_data_fp32>(e,
                                                                           {shape,
                                                                            {},
                                                                            e.at(p.d_dst),
                                                                            weight.value,
                                                                            p.d_dst.ld,
                                                                            0,
                                                                            nullptr,
                                                                            e.at(p.d_src.place),
                                                                            p.d_src.place.ld,
                                                                            e.at(data_parts),
                                                                            data_splits,
                                                                            is_wide(p.d_dst),
                                                                            wide_weight,
                                                                            p.d_src.accumulate},
                                                                           src_pixels, src.c,
                                                                           data_parts, fp32);
        });
  }

  void add_conv(const Conv2d& o, NodeId n) {
    UnaryPlaces p = unary(n);
    const auto [src, norm] = folded_source(n);
    p.src = src;
    add_product(n, o, p, norm, param(node(n), 0), param(node(n), 1));
  }

  /// A 1x1 convolution that makes the whole block of each pixel, then the blocks side by side.
  void add_conv_transpose(const ConvTranspose2d& o, NodeId n) {
    const UnaryPlaces p = unary(n);
    const Shape& src = p.src.shape;
    const Shape shape{src.n, o.out_c * o.stride * o.stride, src.h, src.w};
    const Place blocks = out_.buffers.place(shape);
    const Place d_blocks = p.d_dst ? out_.buffers.place(shape) : Place{};
    add_product(n, {.out_c = shape.c, .kernel = 1, .bias = false},
                {p.src, blocks, d_blocks, p.d_src}, {}, param(node(n), 0), {});
    add_shuffle(n, o.stride, true, param(node(n), 1), {blocks, p.dst, p.d_dst, {d_blocks, false}});
  }

  // ---- norms -----------------------------------------------------------------------------------

  /// The norm, and the activation behind it, whose result is the value of `result`.
  void add_norm(NodeId norm, NodeId result, Act act) {
    const auto& op = std::get<Norm>(node(norm).op);
    const UnaryPlaces p = unary(result);
    const Shape s = p.src.shape;
    const ParamPlace gamma = param(node(norm), 0), beta = param(node(norm), 1);
    const bool batch = op.kind == NormKind::batch;
    const int unit_n = batch ? s.n : 1, unit_c = op.kind == NormKind::group ? s.c / op.groups : 1;
    const unsigned units = size(s.n / unit_n) * size(s.c / unit_c), pixels = pixels_of(s);
    const Chunks chunks(pixels);
    const std::size_t cells = static_cast<std::size_t>(s.n) * static_cast<std::size_t>(s.c);
    const std::size_t parts = cells * static_cast<std::size_t>(chunks.count);
    const auto kept = [&] { return out_.buffers.make(cells); };
    const NormCells c{kept(), kept(), kept(), kept(), act};
    cells_[at(result)] = c;
    Buffer *first = scratch(parts), *second = scratch(parts);
    const Grid grid{size(chunks.count), blocks(size(s.c), 32), size(s.n)};
    const auto normed = [=](Emitter& e) { return Normed{e.at(c.scale), e.at(c.shift), act}; };
    const auto apply = [=](Emitter& e) {
      if (p.dst)
        e.launch<Kernel::norm_apply>(
            {blocks(s.count())},
            {e.at(p.src), e.at(p.dst), p.src.ld, p.dst.ld, normed(e), s.c, pixels, count_of(s)});
    };
    const auto forward = [=](Emitter& e) {
      e.launch<Kernel::norm_moments>(grid, {e.at(p.src), p.src.ld, s.c, pixels, chunks.length,
                                            chunks.count, e.at(first), e.at(second)});
      e.launch<Kernel::norm_finish>(
          {units}, {e.at(first), e.at(second), gamma.value, beta.value, s.n, s.c, unit_n, unit_c,
                    pixels, chunks.length, chunks.count, op.eps, e.at(c.mean), e.at(c.rstd),
                    e.at(c.scale), e.at(c.shift)});
      apply(e);
    };
    Buffer *offset = nullptr, *slope = nullptr;
    if (p.d_src) {
      offset = scratch(cells);
      slope = scratch(cells);
    }
    const auto backward = [=](Emitter& e) {
      if (!p.d_dst) return;
      e.launch<Kernel::norm_grad_sums>(
          grid,
          {e.at(p.src), e.at(p.d_dst), p.src.ld, p.d_dst.ld, normed(e), e.at(c.mean), e.at(c.rstd),
           s.c, pixels, chunks.length, chunks.count, e.at(first), e.at(second)});
      if (gamma.grad || beta.grad)
        e.launch<Kernel::norm_grad_params>({size(s.c)}, {e.at(first), e.at(second), s.n, s.c,
                                                         chunks.count, gamma.grad, beta.grad});
      if (!p.d_src) return;
      e.launch<Kernel::norm_grad_finish>(
          {units}, {e.at(first), e.at(second), gamma.value, e.at(c.rstd), s.n, s.c, unit_n, unit_c,
                    pixels, chunks.count, e.at(offset), e.at(slope)});
      e.launch<Kernel::norm_grad_apply>(
          {blocks(s.count())}, {e.at(p.src), e.at(p.d_dst), e.at(p.d_src.place), p.src.ld,
                                p.d_dst.ld, p.d_src.place.ld, normed(e), e.at(c.mean), e.at(offset),
                                e.at(slope), s.c, pixels, count_of(s), p.d_src.accumulate});
    };
    add_maker(result, forward, backward, apply);
  }

  void add_attention(const Attention& o, NodeId n) {
    const auto src = [&](std::size_t k) { return value(node(n).src[k]); };
    const Place q = src(0), k = src(1), v = src(2), dst = value(n), d = grad(n);
    const GradPlace d_q = grad_of(n, 0), d_k = grad_of(n, 1), d_v = grad_of(n, 2);
    const Shape s = node(n).shape;
    const int pixels = s.h * s.w, channels = s.c / o.heads;
    const std::size_t rows =
        static_cast<std::size_t>(s.n) * static_cast<std::size_t>(o.heads) * size(pixels);
    Buffer *log_sum = out_.buffers.make(rows), *dot = d ? scratch(rows) : nullptr;
    const Grid grid{size(pixels), size(o.heads), size(s.n)};
    const auto arguments = [=](Emitter& e) {
      AttentionArgs a{};
      a.q = e.at(q), a.k = e.at(k), a.v = e.at(v);
      a.q_ld = q.ld, a.k_ld = k.ld, a.v_ld = v.ld;
      a.log_sum = e.at(log_sum);
      a.pixels = pixels, a.heads = o.heads, a.channels = channels;
      a.scale = 1.f / std::sqrt(static_cast<float>(channels));
      return a;
    };
    add(
        n,
        [=](Emitter& e) {
          AttentionArgs a = arguments(e);
          a.out = e.at(dst), a.out_ld = dst.ld;
          e.launch<Kernel::attention>(grid, a);
        },
        [=](Emitter& e) {
          if (!d || !(d_q || d_k || d_v)) return;
          AttentionArgs a = arguments(e);
          a.dst = e.at(dst), a.dst_ld = dst.ld;
          a.d_dst = e.at(d), a.d_dst_ld = d.ld;
          a.dot = e.at(dot);
          a.d_q = e.at(d_q.place), a.d_q_ld = d_q.place.ld, a.add_q = d_q.accumulate;
          a.d_k = e.at(d_k.place), a.d_k_ld = d_k.place.ld, a.add_k = d_k.accumulate;
          a.d_v = e.at(d_v.place), a.d_v_ld = d_v.place.ld, a.add_v = d_v.accumulate;
          e.launch<Kernel::attention_grad_q>(grid, a);
          if (d_k || d_v) e.launch<Kernel::attention_grad_kv>(grid, a);
        });
  }

  // ---- losses ----------------------------------------------------------------------------------

  struct LossParts {
    unsigned chunk, count;
  };
  static LossParts loss_parts(std::size_t elements) {
    constexpr std::size_t kLeast = 1024, kMost = 2048;
    const std::size_t chunk = std::max(kLeast, (elements + kMost - 1) / kMost);
    return {static_cast<unsigned>(chunk), blocks(elements, static_cast<unsigned>(chunk))};
  }

  void add_difference(NodeId n, SumKind kind) {
    const Place a = value(node(n).src[0]), b = value(node(n).src[1]), dst = value(n), d = grad(n);
    const GradPlace d_a = grad_of(n, 0), d_b = grad_of(n, 1);
    const Shape s = a.shape;
    const LossParts parts = loss_parts(s.count());
    Buffer* sums = scratch(parts.count);
    const double mean = 1.0 / static_cast<double>(s.count());
    add(
        n,
        [=](Emitter& e) {
          e.launch<Kernel::sums>({parts.count}, {e.at(a), e.at(b), a.ld, b.ld, s.c, kind, s.count(),
                                                 parts.chunk, e.at(sums)});
          e.launch<Kernel::sum_finish>(
              {1}, {e.at(sums), static_cast<int>(parts.count), mean, e.at(dst)});
        },
        [=](Emitter& e) {
          const auto gradient = [&](const GradPlace& to, float factor) {
            if (to)
              e.launch<Kernel::difference_grad>(
                  {blocks(s.count())},
                  {e.at(a), e.at(b), e.at(d), e.at(to.place), a.ld, b.ld, to.place.ld, s.c, kind,
                   count_of(s), factor, to.accumulate});
          };
          gradient(d_a, static_cast<float>(mean));
          gradient(d_b, static_cast<float>(-mean));
        });
  }

  void add_variation(const TotalVariation& o, NodeId n) {
    const UnaryPlaces p = unary(n);
    const Shape s = p.src.shape;
    const LossParts parts = loss_parts(s.count());
    Buffer* sums = scratch(parts.count);
    const double mean = 1.0 / static_cast<double>(Shape{s.n, s.c, s.h - 1, s.w - 1}.count());
    const auto arguments = [=](Emitter& e) {
      Variation v{};
      v.src = e.at(p.src), v.src_ld = p.src.ld;
      v.n = s.n, v.h = s.h, v.w = s.w, v.c = s.c;
      v.count = count_of(s), v.chunk = parts.chunk;
      v.beta = o.beta, v.eps = o.eps;
      v.factor = static_cast<float>(mean);
      return v;
    };
    add(
        n,
        [=](Emitter& e) {
          Variation v = arguments(e);
          v.parts = e.at(sums);
          e.launch<Kernel::variation>({parts.count}, v);
          e.launch<Kernel::sum_finish>(
              {1}, {e.at(sums), static_cast<int>(parts.count), mean, e.at(p.dst)});
        },
        [=](Emitter& e) {
          if (!p.d_src) return;
          Variation v = arguments(e);
          v.d_loss = e.at(p.d_dst);
          v.dst = e.at(p.d_src.place), v.dst_ld = p.d_src.place.ld;
          v.accumulate = p.d_src.accumulate;
          e.launch<Kernel::variation_grad>({blocks(s.count())}, v);
        });
  }

  void add_weighted_sum(const WeightedSum& o, NodeId n) {
    std::vector<Place> src;
    std::vector<GradPlace> d_src;
    for (std::size_t k = 0; k < node(n).src.size(); ++k) {
      src.push_back(value(node(n).src[k]));
      d_src.push_back(grad_of(n, k));
    }
    const Place dst = value(n), d = grad(n);
    add(
        n,
        [=](Emitter& e) {
          for (std::size_t k = 0; k < src.size(); ++k)
            e.launch<Kernel::scaled>({1}, {e.at(src[k]), e.at(dst), o.weights[k], k > 0});
        },
        [=](Emitter& e) {
          for (std::size_t k = 0; k < src.size(); ++k)
            if (d_src[k])
              e.launch<Kernel::scaled>(
                  {1}, {e.at(d), e.at(d_src[k].place), o.weights[k], d_src[k].accumulate});
        });
  }

  // ---- one row per op --------------------------------------------------------------------------

  void lower_node(NodeId n) {
    const Node& nd = node(n);
    std::visit(Overloaded{
                   [](const Input&) {},
                   [](const Constant&) {},
                   [](const Learned&) {},
                   [&](const Jitter& o) { add_noise(n, o.sigma, false); },
                   [&](const Dropout& o) { add_noise(n, o.rate, true); },
                   [&](const TimeEmbedding& o) { add_time_embedding(o, n); },
                   [&](const Attention& o) { add_attention(o, n); },
                   [&](const Conv2d& o) { add_conv(o, n); },
                   [&](const ConvTranspose2d& o) { add_conv_transpose(o, n); },
                   [&](const PixelShuffle& o) { add_shuffle(n, o.factor, false, {}, unary(n)); },
                   [&](const unmar::MaxPool& o) { add_max_pool(o.factor, n); },
                   [&](const Linear& o) {
                     UnaryPlaces p = unary(n);
                     const auto [from, norm] = folded_source(n);
                     p.src = from;
                     add_linear(n, *o.rows, *o.cols, p, norm);
                   },
                   [&](const Filter& o) { add_filter(o, n); },
                   [&](const Concat&) { add_concat(n); },
                   [&](const Norm&) {
                     add_norm(n, n, {act_none, 1.f});
                   },
                   [&](const Activation& o) {
                     if (plan_[nd.src[0]].fused_into == n)
                       return add_norm(nd.src[0], n, to_cuda_act(o));
                     add_activation(n, to_cuda_act(o));
                   },
                   [&](const Add&) { add_add(n); },
                   [&](const Multiply&) { add_multiply(n); },
                   [&](const Mse&) { add_difference(n, sum_square_differences); },
                   [&](const L1&) { add_difference(n, sum_absolute_differences); },
                   [&](const TotalVariation& o) { add_variation(o, n); },
                   [&](const WeightedSum& o) { add_weighted_sum(o, n); },
               },
               nd.op);
  }

  const Graph& g_;
  const std::vector<ParamPlace>& params_;
  std::uint64_t seed_;
  bool fp32_;
  std::vector<NodeId> roots_;
  GraphPlan plan_;
  Lowered out_;
  Places places_;
  std::vector<NormCells> cells_;                  ///< of norms, at the node whose value they make
  std::vector<std::vector<std::size_t>> makers_;  ///< steps that make a node's value
};

}  // namespace

std::vector<Buffer*> Lowered::lasting() const {
  std::vector<Buffer*> buffers{pass, cotangent};
  for (const Table& table : tables) buffers.push_back(table.buffer);
  return buffers;
}

Lowered lower(const Graph& graph, const std::vector<ParamPlace>& params,
              const CompileOptions& options) {
  return Lowering(graph, params, options).run();
}

}  // namespace unmar::cuda
