#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

namespace {

struct LossParts {
  unsigned chunk, count;
};
LossParts loss_parts(std::size_t elements) {
  constexpr std::size_t kLeast = 1024, kMost = 2048;
  const std::size_t chunk = std::max(kLeast, (elements + kMost - 1) / kMost);
  return {static_cast<unsigned>(chunk), blocks(elements, static_cast<unsigned>(chunk))};
}

void add_difference(Lowering& l, NodeId n, SumKind kind) {
  const Place a = l.value(l.node(n).src[0]), b = l.value(l.node(n).src[1]), dst = l.value(n),
              d = l.grad(n);
  const GradPlace d_a = l.grad_of(n, 0), d_b = l.grad_of(n, 1);
  const Shape s = a.shape;
  const LossParts parts = loss_parts(s.count());
  Buffer* sums = l.scratch(parts.count);
  const double mean = 1.0 / static_cast<double>(s.count());
  l.add(
      n,
      [=](Emitter& e) {
        e.launch<Kernel::sums>({parts.count}, {e.at(a), e.at(b), a.ld, b.ld, s.c, kind, s.count(),
                                               parts.chunk, e.at(sums)});
        e.launch<Kernel::sum_finish>({1},
                                     {e.at(sums), static_cast<int>(parts.count), mean, e.at(dst)});
      },
      [=](Emitter& e) {
        const auto gradient = [&](const GradPlace& to, float factor, SumKind of) {
          if (to)
            e.launch<Kernel::difference_grad>(
                {blocks(s.count())}, {e.at(a), e.at(b), e.at(d), e.at(to.place), a.ld, b.ld,
                                      to.place.ld, s.c, of, count_of(s), factor, to.accumulate});
        };
        gradient(d_a, static_cast<float>(mean), kind);
        gradient(d_b, static_cast<float>(-mean),
                 kind == sum_cross_entropy ? sum_cross_entropy_by_target : kind);
      });
}

}  // namespace

void lower_op(Lowering& l, NodeId n, const Mse&) { add_difference(l, n, sum_square_differences); }
void lower_op(Lowering& l, NodeId n, const BceWithLogits&) {
  add_difference(l, n, sum_cross_entropy);
}
void lower_op(Lowering& l, NodeId n, const L1&) { add_difference(l, n, sum_absolute_differences); }

void lower_op(Lowering& l, NodeId n, const TotalVariation& o) {
  const UnaryPlaces p = l.unary(n);
  const Shape s = p.src.shape;
  const LossParts parts = loss_parts(s.count());
  Buffer* sums = l.scratch(parts.count);
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
  l.add(
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

void lower_op(Lowering& l, NodeId n, const WeightedSum& o) {
  std::vector<Place> src;
  std::vector<GradPlace> d_src;
  for (std::size_t k = 0; k < l.node(n).src.size(); ++k) {
    src.push_back(l.value(l.node(n).src[k]));
    d_src.push_back(l.grad_of(n, k));
  }
  const Place dst = l.value(n), d = l.grad(n);
  l.add(
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

}  // namespace unmar::cuda
