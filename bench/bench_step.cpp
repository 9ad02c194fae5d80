// Times one iteration (forward, backward, Adam, fresh jitter) of Deep Image Prior.
// Case names: step/<network>/<height>x<width>. UNMAR_THREADS=N sets the threads. The PyTorch side
// of the comparison is torch_step.py; bench.py runs both.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "unmar/unmar.h"

namespace {

/// The standard network with another number of channels.
unmar::ProblemOptions network(int channels) {
  unmar::ProblemOptions options;
  unmar::SkipOptions skip;
  skip.down.assign(5, channels);
  skip.up.assign(5, channels);
  options.network = skip;
  return options;
}

void step(benchmark::State& state, int channels, int height, int width) {
  unmar::Tensor y({1, 3, height, width});
  unmar::Random(1, "y").uniform(y.values(), 0.f, 1.f);
  const auto identity = unmar::make_identity();
  const unmar::Problem problem = unmar::make_problem(y, y.shape(), *identity, network(channels));
  const auto engine = unmar::make_engine();
  const char* threads = std::getenv("UNMAR_THREADS");
  const auto program =
      engine->compile(problem.graph, {.threads = threads ? std::atoi(threads) : 0});

  std::int64_t iteration = 0;
  program->step({}, iteration++);  // touches the memory once
  for (auto _ : state) benchmark::DoNotOptimize(program->step({}, iteration++));
  state.counters["MiB"] = static_cast<double>(program->memory_bytes() >> 20);
  state.SetLabel(engine->info().description);
}

}  // namespace

int main(int argc, char** argv) {
  struct Case {
    const char* name;
    int channels, size;
  };
  for (const Case& c : {Case{"skip128", 128, 256}, Case{"skip128", 128, 512},
                        Case{"skip64", 64, 256}, Case{"skip64", 64, 512}})
    benchmark::RegisterBenchmark(
        fmt::format("step/{}/{}x{}", c.name, c.size, c.size).c_str(),
        [c](benchmark::State& state) { step(state, c.channels, c.size, c.size); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
