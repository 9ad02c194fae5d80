#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

void lower_op(Lowering& l, NodeId n, const Norm&) { add_norm(l, n, n, {act_none, 1.f}); }

void add_norm(Lowering& l, NodeId norm, NodeId result, Act act) {
  const auto& op = std::get<Norm>(l.node(norm).op);
  const UnaryPlaces p = l.unary(result);
  const Shape s = p.src.shape;
  const ParamPlace gamma = l.param(l.node(norm), 0), beta = l.param(l.node(norm), 1);
  const bool batch = op.kind == NormKind::batch, fixed = op.statistics == NormStatistics::fixed;
  const int unit_n = batch ? s.n / op.parts : 1,
            unit_c = op.kind == NormKind::group ? s.c / op.groups : 1;
  const unsigned units = size(s.n / unit_n) * size(s.c / unit_c), pixels = pixels_of(s);
  const Chunks chunks(pixels);
  const std::size_t cells = static_cast<std::size_t>(s.n) * static_cast<std::size_t>(s.c);
  const std::size_t parts = cells * static_cast<std::size_t>(chunks.count);
  const auto kept = [&] { return l.make(cells); };
  const NormCells c{kept(), kept(), kept(), kept(), act};
  l.norm_at(result) = c;
  Buffer *first = l.scratch(parts), *second = l.scratch(parts);
  const Grid grid{size(chunks.count), blocks(size(s.c), 32), size(s.n)};
  const auto normed = [=](Emitter& e) { return Normed{e.at(c.scale), e.at(c.shift), act}; };
  const auto apply = [=](Emitter& e) {
    if (!p.dst) return;
    const bool wide = is_wide(p.src) && is_wide(p.dst);
    e.launch<Kernel::norm_apply>(
        {lane_blocks(s, wide)},
        {e.values(p.src), e.values(p.dst), normed(e), s.c, pixels, all_pixels_of(s), wide});
  };
  Buffer *offset = nullptr, *slope = nullptr;
  if (fixed) {
    offset = kept();
    slope = kept();
  } else if (p.d_src) {
    offset = l.scratch(cells);
    slope = l.scratch(cells);
  }
  const ParamPlace mean = l.param(l.node(norm), 2), variance = l.param(l.node(norm), 3);
  Buffer *now_mean = nullptr, *now_variance = nullptr;
  if (op.statistics == NormStatistics::tracked) {
    now_mean = l.make_lasting(size(s.c));
    now_variance = l.make_lasting(size(s.c));
    const double count = static_cast<double>(s.n) * pixels;
    l.add_follower([=, momentum = op.momentum, pass = l.pass()](Emitter& e) {
      e.launch<Kernel::norm_follow>(
          {blocks(size(s.c))}, {pass_at(e, pass), e.at(now_mean), e.at(now_variance), mean.value,
                                variance.value, s.c, momentum, count / (count - 1)});
    });
  }
  const auto forward = [=](Emitter& e) {
    if (fixed) {
      e.launch<Kernel::norm_running>(
          {blocks(cells)},
          {mean.value, variance.value, gamma.value, beta.value, s.n, s.c, op.eps, e.at(c.mean),
           e.at(c.rstd), e.at(c.scale), e.at(c.shift), e.at(offset), e.at(slope)});
      apply(e);
      return;
    }
    e.launch<Kernel::norm_moments>(grid, {e.values(p.src), s.c, is_wide(p.src), pixels,
                                          chunks.length, chunks.count, e.at(first), e.at(second)});
    e.launch<Kernel::norm_finish>(
        {units}, {e.at(first), e.at(second), gamma.value, beta.value, s.n, s.c, unit_n, unit_c,
                  pixels, chunks.length, chunks.count, op.eps, e.at(c.mean), e.at(c.rstd),
                  e.at(c.scale), e.at(c.shift), e.at(now_mean), e.at(now_variance)});
    apply(e);
  };
  const auto backward = [=](Emitter& e) {
    if (!p.d_dst) return;
    const bool in_finish = batch && op.parts == 1 && p.d_src && !fixed;
    const bool wants_params = gamma.grad || beta.grad;
    if (!fixed || wants_params)
      e.launch<Kernel::norm_grad_sums>(
          grid, {e.values(p.src), e.values(p.d_dst), normed(e), e.at(c.mean), e.at(c.rstd), s.c,
                 is_wide(p.src) && is_wide(p.d_dst), pixels, chunks.length, chunks.count,
                 e.at(first), e.at(second)});
    if (wants_params && !in_finish)
      e.launch<Kernel::norm_grad_params>(
          {size(s.c)}, {e.at(first), e.at(second), s.n, s.c, chunks.count, gamma.grad, beta.grad});
    if (!p.d_src) return;
    if (!fixed)
      e.launch<Kernel::norm_grad_finish>(
          {units}, {e.at(first), e.at(second), gamma.value, e.at(c.rstd), s.n, s.c, unit_n, unit_c,
                    pixels, chunks.count, e.at(offset), e.at(slope),
                    in_finish ? gamma.grad : nullptr, in_finish ? beta.grad : nullptr});
    const bool wide = is_wide(p.src) && is_wide(p.d_dst) && is_wide(p.d_src.place);
    e.launch<Kernel::norm_grad_apply>(
        {lane_blocks(s, wide)},
        {e.values(p.src), e.values(p.d_dst), e.values(p.d_src.place), normed(e), e.at(c.mean),
         e.at(offset), e.at(slope), s.c, pixels, all_pixels_of(s), wide, p.d_src.accumulate});
  };
  l.add_maker(result, forward, backward, apply);
}

}  // namespace unmar::cuda
