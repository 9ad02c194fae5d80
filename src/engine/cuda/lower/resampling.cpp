#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

namespace {

struct TapTable {
  Buffer *begin, *index, *weight;
  Taps at(Emitter& e) const {
    return {reinterpret_cast<const int*>(e.at(begin)), reinterpret_cast<const int*>(e.at(index)),
            e.at(weight)};
  }
};

TapTable tap_table(Lowering& l, const LinearMap& map) {
  return {l.table(map.begin), l.table(map.index), l.table(map.weight)};
}

bool is_identity(const LinearMap& map) {
  if (map.src_size != map.dst_size() || map.index.size() + 1 != map.begin.size()) return false;
  for (std::size_t i = 0; i + 1 < map.begin.size(); ++i)
    if (map.begin[i] != static_cast<int>(i) || map.index[i] != static_cast<int>(i) ||
        map.weight[i] != 1.f)
      return false;
  return true;
}

/// What lies in one place goes to another.
void add_copy(Lowering& l, NodeId n, const UnaryPlaces& p) {
  l.add_maker(
      n,
      [=](Emitter& e) {
        copy(e, p.src, {p.dst, false});
      },
      [=](Emitter& e) {
        if (p.d_src) copy(e, p.d_dst, p.d_src);
      });
}

void add_linear(Lowering& l, NodeId n, const LinearMap& rows, const LinearMap& cols,
                const UnaryPlaces& p, const NormCells& norm = {}) {
  if (!norm.scale && is_identity(rows) && is_identity(cols)) return add_copy(l, n, p);
  const TapTable r = tap_table(l, rows), c = tap_table(l, cols);
  const auto launch = [](Emitter& e, const Place& src, const Folded& fold, const Place& dst,
                         const TapTable& y, const TapTable& x, bool accumulate) {
    const Shape &from = src.shape, &to = dst.shape;
    const bool wide = is_wide(src) && is_wide(dst);
    e.launch<Kernel::resample>({lane_blocks(to, wide)},
                               {e.values(src), fold, e.values(dst), y.at(e), x.at(e), from.h,
                                from.w, to.h, to.w, to.c, all_pixels_of(to), wide, accumulate});
  };
  Lowering::Emit backward = [](Emitter&) {};
  if (p.d_src) {
    const TapTable back_r = tap_table(l, transposed(rows)), back_c = tap_table(l, transposed(cols));
    backward = [=](Emitter& e) {
      launch(e, p.d_dst, {}, p.d_src.place, back_r, back_c, p.d_src.accumulate);
    };
  }
  l.add_maker(
      n, [=](Emitter& e) { launch(e, p.src, fold_of(e, norm), p.dst, r, c, false); },
      std::move(backward));
}

}  // namespace

void lower_op(Lowering& l, NodeId n, const Linear& o) {
  UnaryPlaces p = l.unary(n);
  const auto [from, norm] = l.folded_source(n);
  p.src = from;
  add_linear(l, n, *o.rows, *o.cols, p, norm);
}

void lower_op(Lowering& l, NodeId n, const Filter& o) {
  const UnaryPlaces p = l.unary(n);
  const Shape taps = o.taps->shape();
  Buffer* weights = l.table(std::vector<float>(o.taps->values().begin(), o.taps->values().end()));
  const bool reflect = o.border == Border::reflect;
  const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, bool accumulate) {
    const Shape& s = dst.shape;
    return FilterArgs{e.at(src), e.at(weights), e.at(dst), src.ld,  dst.ld,      s.h,       s.w,
                      s.c,       taps.h,        taps.w,    reflect, count_of(s), accumulate};
  };
  const unsigned grid = blocks(l.node(n).shape.count());
  l.add(
      n, [=](Emitter& e) { e.launch<Kernel::filter>({grid}, arguments(e, p.src, p.dst, false)); },
      [=](Emitter& e) {
        if (p.d_src)
          e.launch<Kernel::filter_grad>({grid},
                                        arguments(e, p.d_dst, p.d_src.place, p.d_src.accumulate));
      });
}

void lower_op(Lowering& l, NodeId n, const Concat&) {
  const Shape& dst = l.node(n).shape;
  int channel = 0;
  for (std::size_t k = 0; k < l.node(n).src.size(); ++k) {
    const NodeId s = l.node(n).src[k];
    const Shape& src = l.node(s).shape;
    if (l.plan()[s].value_in != n) {
      const Shape part{dst.n, src.c, dst.h, dst.w};
      const Place d_dst = l.grad(n) ? slice(l.grad(n), channel, part) : Place{};
      add_linear(l, n, crop_map(src.h, dst.h), crop_map(src.w, dst.w),
                 {l.value(s), slice(l.value(n), channel, part), d_dst, l.grad_of(n, k)});
    }
    channel += src.c;
  }
}

void lower_op(Lowering& l, NodeId n, const unmar::MaxPool& o) {
  const UnaryPlaces p = l.unary(n);
  const Shape &from = p.src.shape, &to = p.dst.shape;
  l.add(
      n,
      [=](Emitter& e) {
        e.launch<Kernel::max_pool>({blocks(to.count())}, {e.values(p.src),
                                                          {},
                                                          e.values(p.dst),
                                                          from.h,
                                                          from.w,
                                                          to.h,
                                                          to.w,
                                                          to.c,
                                                          o.factor,
                                                          count_of(to),
                                                          false});
      },
      [=](Emitter& e) {
        if (!p.d_src) return;
        e.launch<Kernel::max_pool_grad>(
            {blocks(from.count())},
            {e.values(p.src), e.values(p.d_dst), e.values(p.d_src.place), from.h, from.w, to.h,
             to.w, to.c, o.factor, count_of(from), p.d_src.accumulate});
      });
}

void lower_op(Lowering& l, NodeId n, const PixelShuffle& o) {
  add_shuffle(l, n, o.factor, false, {}, l.unary(n));
}

void add_shuffle(Lowering& l, NodeId n, int factor, bool channels_last, const ParamPlace& bias,
                 const UnaryPlaces& p) {
  const Shape from = p.src.shape, to = p.dst.shape;
  const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, const float* with,
                             bool accumulate) {
    return Shuffle{e.at(src), e.at(dst), with,   src.ld,        dst.ld,       from.h,
                   from.w,    to.c,      factor, channels_last, count_of(to), accumulate};
  };
  Buffer* parts = p.d_dst && bias.grad ? column_parts(l, to) : nullptr;
  const unsigned grid = blocks(to.count());
  l.add(
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

}  // namespace unmar::cuda
