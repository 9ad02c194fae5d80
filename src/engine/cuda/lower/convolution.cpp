#include "engine/cuda/lower/products.h"

namespace unmar::cuda {

namespace {

/// One convolution: src and dst, and the kernel between them.
struct Geometry {
  Shape src, dst;
  int kernel, stride, pad;
  bool reflect;
  const float* weight;
  int first_weight(int tap, int c, int out) const { return (tap * src.c + c) * dst.c + out; }
};

/// dst: each row of the product is a pixel of it.
class Forward {
 public:
  Forward(Lowering& l, const Geometry& g, bool is_kept)
      : g_(g),
        source_{nullptr,
                g.src.n,
                (g.dst.h - 1) * g.stride + g.kernel,
                (g.dst.w - 1) * g.stride + g.kernel,
                whole_groups(g.src.c, l.precision()),
                g.pad,
                g.pad},
        bands_(bands_of(g.dst.n, g.dst.h, size(g.stride) * source_.line_bytes(l.precision()),
                        l.band_bytes())),
        is_kept_(is_kept && bands_.size() == 1),
        product_(make(l)) {
    source_.data =
        operand_memory(l, source_, bands_.front().n, rows_below(bands_.front()), is_kept_);
  }

  const std::vector<Band>& bands() const { return bands_; }
  bool is_kept() const { return is_kept_; }

  /// The source below a band of dst, made ready.
  Operand prepare_source(Emitter& e, Precision p, const Place& src, const NormCells& norm,
                         const Band& band) const {
    const Operand a = source_below(band);
    prepare(e, p, src, norm, g_.reflect, a);
    return a;
  }
  Operand source_below(const Band& band) const {
    return source_.part(band, band.first_row * g_.stride, rows_below(band));
  }
  Moments make_moments(Lowering& l) const { return product_.make_moments(l, bands_); }
  void launch_all(Emitter& e, Precision p, const Place& src, const NormCells& norm,
                  const RowTarget& to) const {
    for (const Band& band : bands_)
      launch(e, p, product_, prepare_source(e, p, src, norm, band), band, g_.stride, to);
  }

 private:
  int rows_below(const Band& band) const { return (band.rows - 1) * g_.stride + g_.kernel; }
  RowProduct make(Lowering& l) const {
    std::vector<Tap> taps;
    for (int ky = 0; ky < g_.kernel; ++ky)
      for (int kx = 0; kx < g_.kernel; ++kx)
        taps.push_back(
            {(ky * source_.wide + kx) * source_.c, g_.first_weight(ky * g_.kernel + kx, 0, 0)});
    const ProductRows to{g_.dst.h, g_.dst.w, 1, 0, 0, g_.dst.h, g_.dst.w, nullptr, 0, 0, 0, 0};
    return make_row_product(l, g_.src.c, taps, g_.weight, {g_.dst.c, 1}, g_.dst.c, to, bands_);
  }

  Geometry g_;
  Operand source_;
  std::vector<Band> bands_;
  bool is_kept_;  ///< the source stays ready until backward
  RowProduct product_;
};

/// The gradient of the source, one product per phase. Positions are those of the source with its
/// border; of a border of zeros nothing is asked.
class Backward {
 public:
  Backward(Lowering& l, const Geometry& g)
      : g_(g),
        high_(extent(g.src.h, g.dst.h)),
        wide_(extent(g.src.w, g.dst.w)),
        bordered_(g.reflect && (high_ > g.src.h || wide_ > g.src.w)),
        gradient_{nullptr,
                  g.dst.n,
                  operand_size(high_, g.dst.h) + margin(),
                  operand_size(wide_, g.dst.w) + margin(),
                  whole_groups(g.dst.c, l.precision()),
                  margin(),
                  margin()} {
    if (bordered_) make_ring(l);
    // Positions that are asked for begin here; a band has the same rows of all phases.
    const int begin = bordered_ ? 0 : g.pad;
    const int end_y = bordered_ ? high_ : g.pad + g.src.h;
    const int end_x = bordered_ ? wide_ : g.pad + g.src.w;
    const int most_rows = (end_y - begin - 1) / g.stride + 1;
    bands_ = bands_of(g.dst.n, most_rows, gradient_.line_bytes(l.precision()), l.band_bytes());
    for (int py = begin; py < begin + g.stride && py < end_y; ++py)
      for (int px = begin; px < begin + g.stride && px < end_x; ++px)
        add_phase(l, py, px, end_y, end_x);
    gradient_.data =
        operand_memory(l, gradient_, bands_.front().n, rows_for(bands_.front()), false);
  }

  bool is_whole() const { return bands_.size() == 1; }
  /// The gradient of dst that a band needs.
  Operand gradient_for(const Band& band) const {
    return gradient_.part(band, band.first_row, rows_for(band));
  }
  const std::vector<Band>& bands() const { return bands_; }
  void launch_band(Emitter& e, Precision p, const Operand& d, const Band& band,
                   const GradPlace& out) const {
    for (const RowProduct& r : phases_) {
      Band rows = band;
      rows.rows = std::min(band.rows, r.to.row_h - band.first_row);
      if (rows.rows > 0) launch(e, p, r, d, rows, 1, {nullptr, &out.place, ring_, out.accumulate});
    }
  }
  /// Behind all bands.
  void add_mirrored(Emitter& e, const GradPlace& out) const {
    if (!ring_) return;
    AddMirrored args = mirrored_;
    args.out.to = phases_.front().to;
    args.out.to.ring = e.at(ring_);
    args.out.columns = args.out.channels = out.place.shape.c;
    args.out.out = e.values(out.place);
    e.launch<Kernel::add_mirrored>({blocks(args.count)}, args);
  }

 private:
  /// In front of the gradient of dst, for a position that lies under the kernel's last taps.
  int margin() const { return (g_.kernel - 1) / g_.stride; }
  /// Rows, or columns, of the source with its border.
  int extent(int src, int dst) const {
    return std::max((dst - 1) * g_.stride + g_.kernel, g_.pad + src);
  }
  int operand_size(int extent, int dst) const {
    return std::max((extent - 1) / g_.stride + 1, dst) + margin();
  }
  int rows_for(const Band& band) const { return is_whole() ? gradient_.high : band.rows + reach_; }

  void add_phase(Lowering& l, int py, int px, int end_y, int end_x) {
    const auto count = [&](int first, int end) { return (end - first - 1) / g_.stride + 1; };
    std::vector<Tap> taps;
    for (int ky = py % g_.stride; ky < g_.kernel; ky += g_.stride)
      for (int kx = px % g_.stride; kx < g_.kernel; kx += g_.stride) {
        const int y = (py - ky) / g_.stride + gradient_.top;
        const int x = (px - kx) / g_.stride + gradient_.left;
        reach_ = std::max(reach_, y);
        taps.push_back(
            {(y * gradient_.wide + x) * gradient_.c, g_.first_weight(ky * g_.kernel + kx, 0, 0)});
      }
    const ProductRows to{count(py, end_y), count(px, end_x), g_.stride, py - g_.pad,
                         px - g_.pad,      g_.src.h,         g_.src.w,  nullptr,
                         g_.pad,           g_.pad,           high_,     wide_};
    phases_.push_back(
        make_row_product(l, g_.dst.c, taps, g_.weight, {1, g_.dst.c}, g_.src.c, to, bands_));
  }

  void make_ring(Lowering& l) {
    const Shape& s = g_.src;
    ring_ = l.scratch(size(s.n) * size(high_ * wide_ - s.h * s.w) * std::size_t{size(s.c)});
    mirrored_.top = std::min(s.h, g_.pad + 1);
    mirrored_.left = std::min(s.w, g_.pad + 1);
    mirrored_.bottom = std::min(s.h - mirrored_.top, high_ - s.h - g_.pad + 1);
    mirrored_.right = std::min(s.w - mirrored_.left, wide_ - s.w - g_.pad + 1);
    const int ends = mirrored_.top + mirrored_.bottom, sides = mirrored_.left + mirrored_.right;
    mirrored_.count = size(s.n) * size(ends * s.w + (s.h - ends) * sides) * size(s.c);
  }

  Geometry g_;
  int high_, wide_;  ///< of the source with its border
  bool bordered_;
  Operand gradient_;  ///< of dst
  int reach_ = 0;     ///< rows of it below the one a position begins with
  std::vector<Band> bands_;
  std::vector<RowProduct> phases_;
  Buffer* ring_ = nullptr;  ///< what a mirrored border gets
  AddMirrored mirrored_{};
};

/// The gradient of dst without a border, for the weights alone.
Operand plain_gradient(const Shape& dst, Precision p) {
  return {nullptr, dst.n, dst.h, dst.w, whole_groups(dst.c, p)};
}

/// p.src may lie in front of a norm, which is folded in; p.d_src is the gradient behind it.
void add_product(Lowering& l, NodeId n, const Conv2d& o, const UnaryPlaces& p,
                 const NormCells& norm, const ParamPlace& weight, const ParamPlace& bias) {
  const Precision precision = l.precision();
  const Geometry g{p.src.shape, p.dst.shape,  o.kernel,
                   o.stride,    pad_begin(o), o.border == Border::reflect,
                   weight.value};
  const bool wants_weight = p.d_dst && weight.grad, wants_data = p.d_dst && p.d_src;
  const auto weights = l.weights();
  const bool is_first = weights->count == 0;
  const auto forward = std::make_shared<Forward>(l, g, wants_weight);
  const auto data = wants_data ? std::make_shared<Backward>(l, g) : nullptr;
  // One gradient made ready serves both, if it and the source are whole.
  const bool share = data && data->is_whole() && forward->bands().size() == 1;
  Operand plain = plain_gradient(g.dst, precision);
  WeightSum sum{};
  if (wants_weight) {
    const Band& band = forward->bands().front();
    sum = make_weight_sum(l, g.kernel, g.stride, g.src, g.dst, forward->bands(), weight.grad);
    if (!share) plain.data = operand_memory(l, plain, band.n, band.rows, false);
  }
  const Moments moments = l.wants_moments(n) ? forward->make_moments(l) : Moments{};
  l.moments_of(n) = moments;
  const auto in_front = l.gradient_in_front(n);
  const bool wants_bias = p.d_dst && bias.grad && !l.bias_is_idle(n);  // else it stays 0
  Buffer* bias_parts = wants_bias ? column_parts(l, g.dst) : nullptr;
  const auto make_ready = [=](Emitter& e, const Operand& d) {
    prepare_gradient(e, precision, p.d_dst, in_front.get(), d);
  };

  const auto launch_weights = [=](Emitter& e, const Operand* shared) {
    const auto& bands = forward->bands();
    for (std::size_t i = 0; i < bands.size(); ++i) {
      const Operand a = forward->is_kept()
                            ? forward->source_below(bands[i])
                            : forward->prepare_source(e, precision, p.src, norm, bands[i]);
      Operand d = shared ? *shared : plain.part(bands[i], bands[i].first_row, bands[i].rows);
      if (!shared) make_ready(e, d);
      launch(e, precision, sum, a, d, g.dst, bands[i], i > 0);
    }
  };
  l.add(
      n,
      [=](Emitter& e) {
        if (is_first) weights->prepare(e, precision);
        forward->launch_all(e, precision, p.src, norm,
                            {bias.value, &p.dst, nullptr, false, &moments});
      },
      [=](Emitter& e) {
        if (!p.d_dst) return;
        Operand d;
        if (share) make_ready(e, d = data->gradient_for(data->bands().front()));
        e.aside([&] {
          if (bias_parts) sum_columns(e, p.d_dst, 1, bias_parts, bias.grad, 0, false);
          if (wants_weight) launch_weights(e, share ? &d : nullptr);
        });
        if (!data) return;
        for (const Band& band : data->bands()) {
          if (!share) make_ready(e, d = data->gradient_for(band));
          data->launch_band(e, precision, d, band, p.d_src);
        }
        data->add_mirrored(e, p.d_src);
      });
}

}  // namespace

void lower_op(Lowering& l, NodeId n, const Conv2d& o) {
  UnaryPlaces p = l.unary(n);
  const auto [src, norm] = l.folded_source(n);
  p.src = src;
  add_product(l, n, o, p, norm, l.param(l.node(n), 0), l.param(l.node(n), 1));
}

namespace {

/// The blocks of a transposed convolution where they overlap or are cut off.
void add_fold(Lowering& l, NodeId n, const ConvTranspose2d& o, const ParamPlace& bias,
              const UnaryPlaces& p) {
  const Shape from = p.src.shape, to = p.dst.shape;
  const auto launch = [=](Emitter& e, auto kernel, const Place& src, const GradPlace& dst,
                          const float* with, const Shape& written) {
    e.launch<kernel.value>(
        {blocks(written.count())},
        {e.at(src), e.at(dst.place), with, src.ld, dst.place.ld, from.h, from.w, to.h, to.w, to.c,
         kernel_of(o), o.stride, o.padding, count_of(written), dst.accumulate});
  };
  Buffer* parts = p.d_dst && bias.grad ? column_parts(l, to) : nullptr;
  l.add(
      n,
      [=](Emitter& e) {
        launch(e, std::integral_constant<Kernel, Kernel::fold>(), p.src, {p.dst, false}, bias.value,
               to);
      },
      [=](Emitter& e) {
        if (!p.d_dst) return;
        if (parts) sum_columns(e, p.d_dst, 1, parts, bias.grad, 0, false);
        if (p.d_src)
          launch(e, std::integral_constant<Kernel, Kernel::fold_grad>(), p.d_dst, p.d_src, nullptr,
                 from);
      });
}

}  // namespace

/// A 1x1 convolution that makes the whole block of each pixel, then the blocks side by side, or
/// summed where they overlap.
void lower_op(Lowering& l, NodeId n, const ConvTranspose2d& o) {
  const UnaryPlaces p = l.unary(n);
  const Shape& src = p.src.shape;
  const int kernel = kernel_of(o);
  const Shape shape{src.n, o.out_c * kernel * kernel, src.h, src.w};
  const Place blocks = l.make_place(shape);
  const Place d_blocks = p.d_dst ? l.make_place(shape) : Place{};
  add_product(l, n, {.out_c = shape.c, .kernel = 1, .bias = false},
              {p.src, blocks, d_blocks, p.d_src}, {}, l.param(l.node(n), 0), {});
  const UnaryPlaces joined{blocks, p.dst, p.d_dst, {d_blocks, false}};
  const ParamPlace bias = l.param(l.node(n), 1);
  if (makes_blocks(o))
    add_shuffle(l, n, o.stride, true, bias, joined);
  else
    add_fold(l, n, o, bias, joined);
}

}  // namespace unmar::cuda
