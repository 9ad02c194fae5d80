#include "engine/cuda/passes.h"

#include <algorithm>
#include <bit>

namespace unmar::cuda {
namespace {

constexpr float kNaN = std::bit_cast<float>(0x7FFFFFFFu);  // and two bf16 that are NaN

template <Kernel kKernel>
void reorder(Emitter& e, const float* src, float* dst, const Place& place) {
  const Shape& s = place.shape;
  e.launch<kKernel>({blocks(s.count())}, {src, dst, place.ld, s.c,
                                          static_cast<unsigned>(s.h) * static_cast<unsigned>(s.w),
                                          static_cast<unsigned>(s.count())});
}

class PassWriter {
 public:
  PassWriter(const Graph& graph, const CompileOptions& options, const ProgramPlan& plan,
             const DeviceParams& params, const DeviceMemory& arena)
      : graph_(graph),
        options_(options),
        plan_(plan),
        params_(params),
        arena_(arena),
        e_(false, options.precision) {}

  Passes write() {
    Passes passes;
    passes.forward = forward();
    passes.backward = backward();
    for (const int which : {0, 1}) passes.publish[which] = publish(which);
    for (const auto& follow : plan_.lowered.followers) follow(e_);
    e_.launch<Kernel::adam>({blocks(params_.floats())}, params_.adam_args(pass()));
    passes.update = e_.take();
    if (graph_.loss()) passes.report = report();
    return passes;
  }

 private:
  const Pass* pass() const { return reinterpret_cast<const Pass*>(plan_.lowered.pass->data); }

  /// For tests: a buffer holds NaN before its first use, and again after its last.
  void poison(int time, bool begins) {
    if (!options_.poison) return;
    e_.join();
    for (const auto& [buffer, offset] : plan_.memory.in_arena)
      for (const Buffer::Span& span : {buffer->span, buffer->again})
        if ((begins ? span.first : span.last) == time)
          e_.launch<Kernel::fill>({blocks(buffer->floats)}, {buffer->data, buffer->floats, kNaN});
  }

  std::vector<Launch> forward() {
    if (options_.poison)
      e_.launch<Kernel::fill>({blocks(arena_.floats())}, {arena_.data(), arena_.floats(), kNaN});
    for (int i = 0; i < plan_.steps; ++i) {
      e_.set_time(i, false, i);
      poison(i, true);
      plan_.step(i).forward(e_);
      poison(i, false);
    }
    return e_.take();
  }

  std::vector<Launch> backward() {
    const int n = plan_.steps;
    e_.set_time(n, true, -1);
    poison(n, true);
    if (graph_.loss())
      if (const Place& seed = plan_.lowered.grad[at(*graph_.loss())])
        e_.launch<Kernel::put_seed>({1}, {pass(), e_.at(seed), graph_.loss()->index});
    for (int i = n; i-- > 0;) {
      const int time = 2 * n - 1 - i;
      e_.set_time(time, true, i);
      if (i < n - 1) poison(time, true);
      plan_.step(i).backward(e_);
      poison(time, false);
    }
    return e_.take();
  }

  std::vector<Launch> publish(int which) {
    for (const Published& p : plan_.published) {
      const Place& value = plan_.lowered.value[at(p.node)];
      reorder<Kernel::from_channels_last>(e_, e_.at(value), e_.at(p.copy[which]), value);
    }
    return e_.take();
  }

  /// The loss and the squares of all gradients.
  std::vector<Launch> report() {
    const std::size_t total = params_.floats();
    const std::size_t chunk = std::max<std::size_t>(
        4096, (total + ProgramPlan::kSquareParts - 1) / ProgramPlan::kSquareParts);
    const unsigned parts = blocks(total, static_cast<unsigned>(chunk));
    e_.launch<Kernel::sums>({parts}, {params_.grads(), nullptr, 1, 0, 1, sum_squares, total, chunk,
                                      e_.at(plan_.square_parts)});
    e_.launch<Kernel::sum_finish>(
        {1}, {e_.at(plan_.square_parts), static_cast<int>(parts), 1.0, e_.at(plan_.square_sum)});
    e_.launch<Kernel::report>({1}, {e_.at(plan_.lowered.value[at(*graph_.loss())]),
                                    e_.at(plan_.square_sum), e_.at(plan_.report)});
    return e_.take();
  }

  const Graph& graph_;
  const CompileOptions& options_;
  const ProgramPlan& plan_;
  const DeviceParams& params_;
  const DeviceMemory& arena_;
  Emitter e_;
};

}  // namespace

Passes emit_passes(const Graph& graph, const CompileOptions& options, const ProgramPlan& plan,
                   const DeviceParams& params, const DeviceMemory& arena) {
  return PassWriter(graph, options, plan, params, arena).write();
}

std::vector<Launch> to_planes(const Place& src, Buffer* dst) {
  Emitter e(false, Precision::fp32);
  reorder<Kernel::from_channels_last>(e, e.at(src), e.at(dst), src);
  return e.take();
}

std::vector<Launch> from_planes(Buffer* src, const Place& dst) {
  Emitter e(false, Precision::fp32);
  reorder<Kernel::to_channels_last>(e, e.at(src), e.at(dst), dst);
  return e.take();
}

}  // namespace unmar::cuda
