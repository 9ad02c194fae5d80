#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/limits.h"
#include "fit/problem_graph.h"

namespace unmar {
namespace {

std::size_t bytes_of(const Shape& shape) { return shape.count() * sizeof(float); }

/// The graph with empty inputs where the problem has tensors.
struct Outline {
  Problem problem;
  Shape z, y;
};

Outline outline(const Shape& x_shape, const Operator& A, const ProblemOptions& options) {
  const Shape z = input_shape(x_shape, options), y = A.output_shape(x_shape);
  const bool learned = learns_input(options.optimise);
  return {write_problem(Input{z, learned}, Input{y}, x_shape, A, options), z, y};
}

}  // namespace

std::size_t memory_needed(const Shape& x_shape, const Operator& A, const ProblemOptions& problem,
                          const FitOptions& options, const Engine& engine) {
  const Outline plan = outline(x_shape, A, problem);
  const Graph& graph = plan.problem.graph;
  std::size_t bytes = engine.memory_needed(graph, {.seed = options.seed,
                                                   .threads = options.threads,
                                                   .device = options.device,
                                                   .precision = options.precision});
  bytes += bytes_of(plan.z) + bytes_of(plan.y);
  if (learns_input(problem.optimise)) bytes += 4 * bytes_of(plan.z);  // as a parameter
  bytes += 3 * bytes_of(x_shape);  // the iterate, the average, the best
  if (plan.problem.predicted != plan.problem.restored) bytes += bytes_of(plan.y);
  if (options.rollback_db > 0.f)
    bytes += bytes_of(x_shape) + 2 * 3 * sizeof(float) * graph.param_count();
  return bytes;
}

void require_memory(std::string_view where, std::size_t limit, const Shape& x_shape,
                    const Operator& A, const ProblemOptions& problem, const FitOptions& options,
                    const Engine& engine) {
  const std::size_t available =
      limit > 0 ? limit
                : memory_free(engine, outline(x_shape, A, problem).problem.graph, options.device);
  if (available == 0) return;
  const std::size_t needed = memory_needed(x_shape, A, problem, options, engine);
  if (needed <= available) return;
  // Memory grows about as the number of pixels does.
  double scale = std::sqrt(static_cast<double>(available) / static_cast<double>(needed));
  const auto scaled = [&] {
    Shape shape = x_shape;
    shape.w = std::max(1, static_cast<int>(shape.w * scale));
    shape.h = std::max(1, static_cast<int>(shape.h * scale));
    return shape;
  };
  const auto fits = [&](const Shape& shape) {
    try {
      return memory_needed(shape, A, problem, options, engine) <= available;
    } catch (const Error&) {
      return false;  // too small for the network
    }
  };
  for (int attempt = 0; attempt < 10 && !fits(scaled()); ++attempt) scale *= 0.97;
  const std::string smaller =
      fits(scaled()) ? fmt::format(", or a picture of {}x{}", scaled().w, scaled().h) : "";
  fail(ErrorCode::too_large,
       "{}: a fit of {}x{} with this network needs {}, but {} are {}; try fewer `channels` or "
       "`scales`, a smaller `network`{}{}",
       where, x_shape.w, x_shape.h, bytes_in_words(needed), bytes_in_words(available),
       limit > 0 ? "allowed" : "available", smaller, limit > 0 ? ", or more `max_memory`" : "");
}

}  // namespace unmar
