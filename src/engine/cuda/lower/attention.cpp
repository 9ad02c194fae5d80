#include <cmath>

#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

void lower_op(Lowering& l, NodeId n, const Attention& o) {
  const auto src = [&](std::size_t k) { return l.value(l.node(n).src[k]); };
  const Place q = src(0), k = src(1), v = src(2), dst = l.value(n), d = l.grad(n);
  const GradPlace d_q = l.grad_of(n, 0), d_k = l.grad_of(n, 1), d_v = l.grad_of(n, 2);
  const Shape s = l.node(n).shape;
  const int pixels = s.h * s.w, channels = s.c / o.heads;
  const std::size_t rows =
      static_cast<std::size_t>(s.n) * static_cast<std::size_t>(o.heads) * size(pixels);
  Buffer *log_sum = l.make(rows), *dot = d ? l.scratch(rows) : nullptr;
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
  l.add(
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

void lower_op(Lowering& l, NodeId n, const TimeEmbedding& o) {
  const UnaryPlaces p = l.unary(n);
  const int half = o.channels / 2;
  std::vector<double> frequency;
  for (int i = 0; i < half; ++i)
    frequency.push_back(std::pow(10000.0, -i / (half - double{o.freq_shift})));
  Buffer* waves = l.table(frequency);
  const int count = l.node(n).shape.n;
  const auto arguments = [=](Emitter& e, const Place& to, bool accumulate) {
    return TimeWaves{e.at(p.src),   reinterpret_cast<const double*>(e.at(waves)),
                     e.at(p.d_dst), e.at(to),
                     p.src.ld,      p.d_dst.ld,
                     to.ld,         count,
                     half,          o.flip_sin_to_cos,
                     accumulate};
  };
  l.add(
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

}  // namespace unmar::cuda
