// Times one update of a noise predictor: forward, backward, clipping, Adam, averaged weights.
// Case names: unet/<widths>/<size>/b<batch>. The PyTorch side is torch_unet.py.
#include <benchmark/benchmark.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "unet_case.h"
#include "unmar/unmar.h"

namespace {

struct Case {
  std::vector<int> widths;  ///< one per level, attention at the second
  int channels, size, batch;

  std::string name() const {
    return fmt::format("unet/{}/{}x{}x{}/b{}", fmt::join(widths, "-"), channels, size, size, batch);
  }
};

unmar::TrainerOptions options(const Case& c) {
  unmar::TrainerOptions o;
  o.unet = unmar::bench::unet_case(c.widths, c.channels);
  o.batch = {c.batch, c.channels, c.size, c.size};
  return o;
}

void update(benchmark::State& state, const Case& c) {
  const unmar::TrainerOptions o = options(c);
  unmar::Trainer trainer(o);
  unmar::Tensor noisy(o.batch), timesteps({c.batch, 1, 1, 1}), target(o.batch);
  unmar::Random(1, "noisy").normal(noisy.values());
  unmar::Random(1, "timesteps").uniform(timesteps.values(), 0.f, 999.f);
  unmar::Random(1, "target").normal(target.values());
  trainer.step(noisy, timesteps, target);  // touches the memory once
  for (auto _ : state) benchmark::DoNotOptimize(trainer.step(noisy, timesteps, target));
  state.counters["MiB"] = static_cast<double>(trainer.memory_bytes() >> 20);
  state.counters["samples/s"] =
      benchmark::Counter(c.batch, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& c : {Case{{32, 64, 128}, 1, 28, 16}, Case{{32, 64, 128}, 1, 28, 64},
                        Case{{64, 128, 128}, 3, 32, 16}, Case{{64, 128, 128}, 3, 32, 64}})
    benchmark::RegisterBenchmark(c.name().c_str(),
                                 [c](benchmark::State& state) { update(state, c); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
