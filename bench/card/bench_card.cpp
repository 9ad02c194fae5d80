// What scripts/check_gpu.sh measures on a card: needs the engine, operators and fit only, so that
// it can be carried to a machine without this project's packages. Prints one JSON object.
//   bench_card ENGINE step SIZE PRECISION COUNT   milliseconds of an iteration, three rounds
//   bench_card ENGINE loop SIZE PRECISION COUNT   of a fit with average, roll-back and a stopper
//   bench_card ENGINE start SIZE PRECISION 1      seconds until the first step is done
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "unmar/base/random.h"
#include "unmar/engine/engine.h"
#include "unmar/fit/fit.h"
#include "unmar/fit/stop.h"
#include "unmar/operators/operators.h"

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

unmar::Tensor noise(int size) {
  unmar::Tensor y({1, 3, size, size});
  unmar::Random(1, "y").uniform(y.values(), 0.f, 1.f);
  return y;
}

std::string measure(const std::string& name, const std::string& what, int size,
                    unmar::Precision precision, int count) {
  const auto start = Clock::now();
  const unmar::Tensor y = noise(size);
  const auto identity = unmar::make_identity();
  const unmar::Problem problem = unmar::make_problem(y, y.shape(), *identity, {});
  const auto engine = unmar::make_engine(name);
  std::vector<double> rounds;
  std::size_t bytes = 0;
  if (what == "loop") {
    unmar::FitOptions options;
    options.iterations = count;
    options.precision = precision;
    const auto stopper = unmar::make_fixed_count();
    const auto begin = Clock::now();
    bytes = unmar::fit(problem, *engine, options, *stopper).memory_bytes;
    rounds.push_back(1000 * seconds_since(begin) / count);
  } else {
    const auto program = engine->compile(problem.graph, {.precision = precision});
    bytes = program->memory_bytes();
    std::int64_t i = 0;
    program->step({}, i++);
    const double first = seconds_since(start);
    program->step({}, i++);
    for (int round = 0; round < 3 && what == "step"; ++round) {
      const auto begin = Clock::now();
      for (int k = 0; k < count; ++k) program->step({}, i++);
      rounds.push_back(1000 * seconds_since(begin) / count);
    }
    if (what == "start") rounds.push_back(1000 * first);
  }
  std::ranges::sort(rounds);
  return fmt::format(
      R"({{"what": "{}", "engine": "{}", "device": "{}", "size": {}, "ms": {:.4f}, "rounds": [{:.4f}], "MiB": {}}})",
      what, name, engine->info().description, size, rounds[rounds.size() / 2],
      fmt::join(rounds, ", "), bytes >> 20);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bench_card ENGINE step|loop|start SIZE fp32|tf32 COUNT\n");
    return 2;
  }
  try {
    const auto precision =
        std::string(argv[4]) == "fp32" ? unmar::Precision::fp32 : unmar::Precision::tf32;
    std::puts(measure(argv[1], argv[2], std::atoi(argv[3]), precision, std::atoi(argv[5])).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
