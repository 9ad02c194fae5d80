// What scripts/check_gpu.sh measures on a card: needs the engine, operators and fit only, so that
// it can be carried to a machine without this project's packages. Prints one JSON object.
//   bench_card ENGINE step SIZE PRECISION COUNT     milliseconds of an iteration, three rounds
//   bench_card ENGINE loop SIZE PRECISION COUNT     of a fit with average, roll-back and a stopper
//   bench_card ENGINE start SIZE PRECISION 1        milliseconds until the first step is done
//   bench_card ENGINE unet SIZE PRECISION COUNT     of an update of the noise predictor of
//                 torch_unet.py: colour, 64-128-128, batch 16; below 32 px a small one
//   bench_card ENGINE profile SIZE PRECISION COUNT  the same by step; the dearest ones on stderr
//   bench_card ENGINE resume SIZE PRECISION COUNT   whether a fit that was saved half way and taken
//                                                   up again ends in the same bits
//   bench_card ENGINE gradients SIZE PRECISION 1    |difference to the CPU's| / |gradient| of all
//                                                   parameters at the start. Rounding turns some
//                                                   activations over their kink: 0.01 for fp32,
//                                                   0.1 for tf32, 0.2 for bf16 is its size
//   bench_card ENGINE fit SIZE PRECISION COUNT PICTURES SEEDS   PSNR of the average by seed, in dB.
//                 PICTURES: observation and truth, [3,SIZE,SIZE] float32 each, in one file
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "unet_case.h"
#include "unmar/base/random.h"
#include "unmar/engine/engine.h"
#include "unmar/fit/fit.h"
#include "unmar/fit/stop.h"
#include "unmar/models/ddpm_unet.h"
#include "unmar/operators/operators.h"

namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Job {
  std::unique_ptr<unmar::Engine> engine;
  std::string what;
  int size;
  unmar::Precision precision;
  int count;

  unmar::Problem problem(const unmar::Tensor& y) const {
    static const auto identity = unmar::make_identity();
    return unmar::make_problem(y, y.shape(), *identity, {});
  }
  unmar::Problem problem() const {
    unmar::Tensor y({1, 3, size, size});
    unmar::Random(1, "y").uniform(y.values(), 0.f, 1.f);
    return problem(y);
  }
  unmar::FitOptions options(int iterations) const {
    unmar::FitOptions options;
    options.iterations = iterations;
    options.precision = precision;
    return options;
  }
};

std::string loop(const Job& job) {
  const auto problem = job.problem();
  const auto stopper = unmar::make_fixed_count();
  const auto begin = Clock::now();
  const auto result = unmar::fit(problem, *job.engine, job.options(job.count), *stopper);
  // Of the whole and of the fit's own clock, which begins with the first step.
  return fmt::format(R"("ms": {:.4f}, "whole_ms": {:.4f}, "MiB": {})",
                     1000 * result.seconds / job.count, milliseconds_since(begin) / job.count,
                     result.memory_bytes >> 20);
}

std::string in_words(std::vector<double> rounds, const unmar::Program& program) {
  std::ranges::sort(rounds);
  return fmt::format(R"("ms": {:.4f}, "rounds": [{:.4f}], "MiB": {})", rounds[rounds.size() / 2],
                     fmt::join(rounds, ", "), program.memory_bytes() >> 20);
}
/// Three rounds of `count` steps.
template <class Step>
std::string timed(int count, const Step& step, const unmar::Program& program) {
  std::vector<double> rounds;
  for (int round = 0; round < 3; ++round) {
    const auto begin = Clock::now();
    for (int k = 0; k < count; ++k) step();
    rounds.push_back(milliseconds_since(begin) / count);
  }
  return in_words(std::move(rounds), program);
}

std::string steps(const Job& job, Clock::time_point start) {
  const auto problem = job.problem();
  const auto program = job.engine->compile(problem.graph, {.precision = job.precision});
  std::int64_t i = 0;
  const auto step = [&] { program->step({}, i++); };
  step();
  if (job.what == "start") return in_words({milliseconds_since(start)}, *program);
  step();
  return timed(job.count, step, *program);
}

/// As Trainer::step() does it; the trainer itself needs packages that a card's machine lacks.
std::string unet(const Job& job) {
  const bool small = job.size < 32;
  const unmar::Shape shape{small ? 2 : 16, 3, job.size, job.size};
  const auto options =
      unmar::bench::unet_case(small ? std::vector{16, 16} : std::vector{64, 128, 128}, shape.c);
  unmar::Graph graph;
  std::vector<std::pair<unmar::NodeId, unmar::Tensor>> inputs;
  const auto input = [&](const char* name, const unmar::Shape& of) {
    const unmar::NodeId id = graph.add(unmar::Input{of}, {}, name);
    unmar::Tensor value(of);
    unmar::Random(1, name).uniform(value.values(), 0.f, 1.f);
    inputs.emplace_back(id, std::move(value));
    return id;
  };
  const auto noisy = input("noisy", shape), times = input("times", {shape.n, 1, 1, 1});
  const auto told = unmar::write_ddpm_unet(graph, noisy, times, options);
  graph.set_loss(graph.add(unmar::Mse{}, {told, input("target", shape)}, "loss"));
  const auto program =
      job.engine->compile(graph, {.ema_decay = 0.9999f, .precision = job.precision});
  std::int64_t updates = 0;
  const auto update = [&] {
    for (const auto& [id, value] : inputs) program->set_input(id, value);
    program->step({.lr = 2e-4f, .clip_norm = 1.f}, updates++);
  };
  update();
  return timed(job.count, update, *program);
}

std::string profile(const Job& job) {
  const auto problem = job.problem();
  const auto program = job.engine->compile(problem.graph, {.precision = job.precision});
  std::int64_t i = 0;
  for (int k = 0; k < 3; ++k) program->step({}, i++);
  program->start_profile();
  for (int k = 0; k < job.count; ++k) program->step({}, i++);
  auto rows = program->profile();
  const auto time = [](const unmar::StepProfile& r) {
    return r.forward_seconds + r.backward_seconds;
  };
  std::ranges::stable_sort(rows, [&](const auto& a, const auto& b) { return time(a) > time(b); });
  std::map<std::string, double> kinds;
  fmt::print(stderr, "{}x{}: ms forward, backward, GMAC, GB, launches\n", job.size, job.size);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const unmar::StepProfile& r = rows[k];
    kinds[r.kind] += 1000 * time(r);
    if (k < 60)
      fmt::print(stderr, "{:28} {:18} {:8.4f} {:8.4f} {:8.2f} {:6.3f} {:3}\n", r.name, r.op,
                 1000 * r.forward_seconds, 1000 * r.backward_seconds,
                 1e-9 * static_cast<double>(r.direct_macs),
                 1e-9 * static_cast<double>(r.traffic_bytes), r.launches);
  }
  std::vector<std::string> fields;
  for (const auto& [kind, ms] : kinds) fields.push_back(fmt::format(R"("{}": {:.4f})", kind, ms));
  return fmt::format(R"("ms": {{{}}})", fmt::join(fields, ", "));
}

std::string resume(const Job& job) {
  const auto problem = job.problem();
  std::string saved;
  const auto keep = [&](const unmar::FitProgress& p) {
    if (p.row.iteration == job.count / 2) saved = p.save();
  };
  const auto stopper = unmar::make_fixed_count();
  const auto whole =
      unmar::fit(problem, *job.engine, job.options(job.count), *stopper, nullptr, keep);
  auto options = job.options(job.count);
  options.resume = saved;
  const auto rest_stopper = unmar::make_fixed_count();
  const auto rest = unmar::fit(problem, *job.engine, options, *rest_stopper);
  const bool same = std::ranges::equal(whole.best.values(), rest.best.values());
  if (!same) throw std::runtime_error("the resumed fit ends in other bits");
  return R"("same_bits": true)";
}

std::string gradients(const Job& job) {
  const auto problem = job.problem();
  const auto cpu = unmar::make_engine("cpu");
  const auto reference = cpu->compile(problem.graph, {});
  const auto program = job.engine->compile(problem.graph, {.precision = job.precision});
  program->restore(reference->state());
  for (const auto& p : {reference.get(), program.get()}) {
    p->forward(0);
    p->backward();
  }
  const auto expected = reference->param_grads(), actual = program->param_grads();
  double off = 0, of = 0;
  for (std::size_t k = 0; k < expected.size(); ++k)
    for (std::size_t i = 0; i < expected[k].count(); ++i) {
      const double e = double{expected[k].data()[i]}, d = double{actual[k].data()[i]} - e;
      off += d * d;
      of += e * e;
    }
  return fmt::format(R"("off": {:.2e})", std::sqrt(off / of));
}

unmar::Tensor read_picture(std::ifstream& file, int size) {
  unmar::Tensor picture({1, 3, size, size});
  file.read(reinterpret_cast<char*>(picture.data()),
            static_cast<std::streamsize>(picture.shape().count() * sizeof(float)));
  if (!file) throw std::runtime_error("the file of pictures is too short");
  return picture;
}

std::string fits(const Job& job, const char* pictures, int seeds) {
  std::ifstream file(pictures, std::ios::binary);
  const unmar::Tensor y = read_picture(file, job.size), truth = read_picture(file, job.size);
  const auto problem = job.problem(y);
  std::vector<double> psnr;
  double sum = 0, ms = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    auto options = job.options(job.count);
    options.seed = static_cast<std::uint64_t>(seed);
    const auto stopper = unmar::make_fixed_count();
    const auto result = unmar::fit(problem, *job.engine, options, *stopper, &truth);
    psnr.push_back(*result.history.back().psnr_average);
    sum += psnr.back();
    ms += 1000 * result.seconds / job.count / seeds;
  }
  return fmt::format(R"("psnr": [{:.3f}], "mean": {:.3f}, "ms": {:.4f})", fmt::join(psnr, ", "),
                     sum / seeds, ms);
}

std::string measure(int argc, char** argv, Clock::time_point start) {
  const std::string precision = argv[4];
  const Job job{unmar::make_engine(argv[1]), argv[2], std::atoi(argv[3]),
                precision == "fp32"   ? unmar::Precision::fp32
                : precision == "bf16" ? unmar::Precision::bf16
                                      : unmar::Precision::tf32,
                std::atoi(argv[5])};
  const std::string device = job.engine->info().description;
  const std::string measured = job.what == "loop"        ? loop(job)
                               : job.what == "unet"      ? unet(job)
                               : job.what == "profile"   ? profile(job)
                               : job.what == "resume"    ? resume(job)
                               : job.what == "gradients" ? gradients(job)
                               : job.what == "fit" && argc == 8
                                   ? fits(job, argv[6], std::atoi(argv[7]))
                                   : steps(job, start);
  return fmt::format(
      R"({{"what": "{}", "engine": "{}", "device": "{}", "size": {}, "precision": "{}", {}}})",
      job.what, argv[1], device, job.size, precision, measured);
}

}  // namespace

int main(int argc, char** argv) {
  const auto start = Clock::now();
  if (argc != 6 && argc != 8) {
    std::fprintf(stderr,
                 "usage: bench_card ENGINE step|loop|start|unet|profile|resume|gradients SIZE "
                 "fp32|tf32|bf16 COUNT\n"
                 "       bench_card ENGINE fit SIZE fp32|tf32|bf16 COUNT PICTURES SEEDS\n");
    return 2;
  }
  try {
    std::puts(measure(argc, argv, start).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
