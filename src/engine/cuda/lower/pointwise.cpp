#include "base/philox.h"
#include "engine/cuda/lower/lowering.h"

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

bool same_place(const Place& a, const Place& b) {
  return a.buffer == b.buffer && a.offset == b.offset;
}

/// d_src = d_dst, or += that.
void pass_gradient_on(Emitter& e, const Place& d_dst, const GradPlace& d_src) {
  if (!d_src || same_place(d_src.place, d_dst)) return;
  copy(e, d_dst, d_src);
}

void add_noise(Lowering& l, NodeId n, float amount, bool is_dropout) {
  const UnaryPlaces p = l.unary(n);
  Buffer* pass = l.pass();
  const auto key = stream_key(l.seed(), l.node(n).name);
  const auto arguments = [=](Emitter& e, const Place& src, const Place& dst, bool accumulate) {
    return Noise{pass_at(e, pass),    key,    e.values(src), e.values(dst), dst.shape.c,
                 count_of(dst.shape), amount, accumulate};
  };
  const unsigned grid = blocks((p.dst.shape.count() + 3) / 4);
  if (is_dropout)
    l.add(
        n,
        [=](Emitter& e) { e.launch<Kernel::dropout>({grid}, arguments(e, p.src, p.dst, false)); },
        [=](Emitter& e) {
          if (p.d_src)
            e.launch<Kernel::dropout>({grid},
                                      arguments(e, p.d_dst, p.d_src.place, p.d_src.accumulate));
        });
  else
    l.add_maker(
        n, [=](Emitter& e) { e.launch<Kernel::jitter>({grid}, arguments(e, p.src, p.dst, false)); },
        [=](Emitter& e) { pass_gradient_on(e, p.d_dst, p.d_src); });
}

}  // namespace

void lower_op(Lowering& l, NodeId n, const Jitter& o) { add_noise(l, n, o.sigma, false); }
void lower_op(Lowering& l, NodeId n, const Dropout& o) { add_noise(l, n, o.rate, true); }

void lower_op(Lowering& l, NodeId n, const Activation& o) {
  const Act act = to_cuda_act(o);
  const NodeId source = l.node(n).src[0];
  if (l.plan()[source].fused_into == n) return add_norm(l, source, n, act);
  const UnaryPlaces p = l.unary(n);
  const Shape s = l.node(n).shape;
  l.add(
      n,
      [=](Emitter& e) {
        const bool wide = is_wide(p.src) && is_wide(p.dst);
        e.launch<Kernel::activation>(
            {lane_blocks(s, wide)},
            {e.values(p.src), {}, e.values(p.dst), s.c, all_pixels_of(s), wide, act, false});
      },
      [=](Emitter& e) {
        if (!p.d_src) return;
        const bool wide = is_wide(p.src) && is_wide(p.d_dst) && is_wide(p.d_src.place);
        e.launch<Kernel::activation_grad>(
            {lane_blocks(s, wide)}, {e.values(p.src), e.values(p.d_dst), e.values(p.d_src.place),
                                     s.c, all_pixels_of(s), wide, act, p.d_src.accumulate});
      });
}

void lower_op(Lowering& l, NodeId n, const Add&) {
  const Place a = l.value(l.node(n).src[0]), b = l.value(l.node(n).src[1]), dst = l.value(n),
              d = l.grad(n);
  const GradPlace d_a = l.grad_of(n, 0), d_b = l.grad_of(n, 1);
  const Shape s = l.node(n).shape;
  const bool one_pixel = b.shape != s;
  Buffer* parts = d_b && one_pixel ? column_parts(l, s) : nullptr;
  l.add(
      n,
      [=](Emitter& e) {
        const bool wide = is_wide(a) && is_wide(b) && is_wide(dst);
        e.launch<Kernel::add>({lane_blocks(s, wide)},
                              {e.values(a), e.values(b), e.values(dst), s.c, all_pixels_of(s),
                               one_pixel ? pixels_of(s) : 1, wide});
      },
      [=](Emitter& e) {
        pass_gradient_on(e, d, d_a);
        if (parts)
          sum_columns(e, d, s.n, parts, e.at(d_b.place), d_b.place.ld, d_b.accumulate);
        else
          pass_gradient_on(e, d, d_b);
      });
}

void lower_op(Lowering& l, NodeId n, const Multiply&) {
  const Place a = l.value(l.node(n).src[0]), b = l.value(l.node(n).src[1]), dst = l.value(n),
              d = l.grad(n);
  const GradPlace d_a = l.grad_of(n, 0), d_b = l.grad_of(n, 1);
  const Shape s = l.node(n).shape;
  const bool one_channel = b.shape.c != s.c;
  const auto times = [=](Emitter& e, const Place& x, const Place& y, const Place& to,
                         bool y_one_channel, bool accumulate) {
    e.launch<Kernel::multiply>({blocks(s.count())}, {e.at(x), e.at(y), e.at(to), x.ld, y.ld, to.ld,
                                                     s.c, count_of(s), y_one_channel, accumulate});
  };
  l.add(
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

}  // namespace unmar::cuda
