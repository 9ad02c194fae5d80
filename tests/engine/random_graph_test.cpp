#include "engine/random_graph.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "engine/harness.h"

namespace unmar::test {
namespace random_graph_test {

/// Norms of norms of products lose some digits; memory that two values share loses all.
constexpr double kTolerance = 2e-3;
/// Gradients that are 0 in theory, e.g. of a bias in front of a norm, are measured against the
/// largest of the graph.
constexpr double kOfLargest = 0.03;

double largest(const Tensor& t) {
  double max = 0;
  for (const float v : t.values()) max = std::max(max, std::abs(double{v}));
  return max;
}

/// Empty, or what differs.
std::string far_apart(const Outcome& expected, const Outcome& actual) {
  if (expected.size() != actual.size()) return "different numbers of results\n";
  double largest_gradient = 0;
  for (const Labelled& item : expected)
    if (item.label.starts_with("gradient"))
      largest_gradient = std::max(largest_gradient, largest(item.value));
  std::string text;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const bool gradient = expected[k].label.starts_with("gradient");
    const double scale =
        std::max(largest(expected[k].value), gradient ? kOfLargest * largest_gradient : 0.0);
    double worst = 0;
    for (std::size_t i = 0; i < expected[k].value.count(); ++i) {
      const double d =
          std::abs(double{expected[k].value.values()[i]} - double{actual[k].value.values()[i]});
      worst = std::isfinite(d) ? std::max(worst, d) : INFINITY;
      if (!std::isfinite(d)) break;
    }
    if (!(worst <= kTolerance * scale))
      text += fmt::format("{}: off by {:.3g}, largest {:.3g}\n", expected[k].label, worst, scale);
  }
  return text;
}

/// One thread and three; a card does not know of threads.
class RandomGraph : public ::testing::TestWithParam<std::tuple<std::string, unsigned>> {
 protected:
  const std::string& engine() const { return std::get<0>(GetParam()); }
  unsigned seed() const { return std::get<1>(GetParam()); }
  CaseGraph g_ = random_graph(seed());
  Outcome all(const std::string& engine, const CompileOptions& options) const {
    const auto program = prepare(engine, g_, options);
    run(*program, g_);  // what a first pass leaves behind must not matter
    return run(*program, g_);
  }
};

TEST_P(RandomGraph, gives_the_values_and_gradients_of_ref) {
  const Outcome expected = all("ref", {}), actual = all(engine(), {.threads = 1});
  EXPECT_EQ(far_apart(expected, actual), "") << to_text(g_.graph) << repro();
}

TEST_P(RandomGraph, gives_the_same_bits_where_idle_memory_is_poisoned) {
  const Outcome expected = all(engine(), {.threads = 1});
  EXPECT_EQ(bit_difference(expected, all(engine(), {.threads = 1, .poison = true})), "")
      << to_text(g_.graph) << repro();
  EXPECT_EQ(bit_difference(expected, all(engine(), {.threads = 3, .poison = true})), "")
      << to_text(g_.graph) << repro();
}

// Roots change what may share memory, also for the gradient of the loss.
TEST_P(RandomGraph, gives_the_products_of_ref_with_the_jacobians_of_its_nodes) {
  std::vector<NodeId> roots;
  const int nodes = static_cast<int>(g_.graph.nodes().size());
  for (const int part : {1, 2, 3})  // inputs and constants come first
    roots.push_back({(part * nodes + static_cast<int>(seed())) % nodes});
  for (const NodeId root : {roots[0], roots[1], roots[2]})
    for (const NodeId s : g_.graph.node(root).src) roots.push_back(s);
  const auto products = [&](const std::string& engine, const CompileOptions& options) {
    CompileOptions with = options;
    with.backward_from = roots;
    const auto program = prepare(engine, g_, with);
    Outcome outcome = run(*program, g_);
    for (const NodeId root : roots)
      for (Labelled& item : run_from(*program, g_, root)) {
        item.label += " from '" + g_.graph.node(root).name + "'";
        outcome.push_back(std::move(item));
      }
    return outcome;
  };
  const Outcome expected = products("ref", {}), actual = products(engine(), {.threads = 1});
  EXPECT_EQ(far_apart(expected, actual), "") << to_text(g_.graph) << repro();
  EXPECT_EQ(bit_difference(actual, products(engine(), {.threads = 3, .poison = true})), "")
      << to_text(g_.graph) << repro();
}

std::vector<std::string> fast_engines() {
  std::vector<std::string> names = engine_names();
  std::erase(names, "ref");
  return names;
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraph,
                         ::testing::Combine(::testing::ValuesIn(fast_engines()),
                                            ::testing::Range(0u, 60u)),
                         [](const auto& info) {
                           return fmt::format("{}_{}", std::get<0>(info.param),
                                              std::get<1>(info.param));
                         });

}  // namespace random_graph_test
}  // namespace unmar::test
