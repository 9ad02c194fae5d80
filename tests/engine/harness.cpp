#include "engine/harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "unmar/base/random.h"

namespace unmar::test {
namespace {

/// A gradient that is 0 in theory may be this fraction of the largest gradient of the case: what
/// rounding leaves of a sum of up to 1000 float terms.
constexpr double kVanishing = 1e-5;

/// eps well above the rounding of gradients: with PyTorch's 1e-8 a gradient that is 0 but for
/// rounding moves its parameter by the full rate, in a direction that means nothing.
constexpr Adam kAdam{.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-3f};

/// A plane of small values is compared by its own largest one, but sums of large values that cancel
/// are rounded by more: so by no less than this fraction of the tensor's largest.
constexpr double kLeastScale = 0.1;

double largest(std::span<const float> values) {
  double max = 0;
  for (const float v : values) max = std::max(max, std::abs(double{v}));
  return max;
}

bool is_gradient(const Labelled& item) { return item.label.starts_with("gradient"); }

double largest_gradient(const Outcome& outcome) {
  double max = 0;
  for (const Labelled& item : outcome)
    if (is_gradient(item)) max = std::max(max, largest(item.value.values()));
  return max;
}

bool vanishes(const Labelled& item, const CaseGraph& g) {
  return is_gradient(item) && std::ranges::any_of(g.vanishing, [&](const std::string& name) {
           return item.label == fmt::format("gradient of '{}'", name);
         });
}

std::string pixel_name(const Shape& s, std::size_t i) {
  const auto part = [&i](int size) {
    const std::size_t at = i % static_cast<std::size_t>(size);
    i /= static_cast<std::size_t>(size);
    return at;
  };
  const std::size_t x = part(s.w), y = part(s.h), c = part(s.c);
  return fmt::format("[n{},c{},y{},x{}] of {}", i, c, y, x, to_string(s));
}

/// One of each name for all cases, never taken down: to start a card takes longer than a case.
Engine& engine_of(const std::string& name) {
  static auto& engines = *new std::map<std::string, std::unique_ptr<Engine>>;
  auto& engine = engines[name];
  if (!engine) engine = make_engine(name);
  return *engine;
}

}  // namespace

std::unique_ptr<Program> prepare(const std::string& engine, const CaseGraph& g,
                                 const CompileOptions& options, Precision precision) {
  CompileOptions as_precise = options;
  as_precise.precision = precision;
  auto program = engine_of(engine).compile(g.graph, as_precise);
  for (const auto& [id, value] : g.inputs) program->set_input(id, value);
  TrainState state = program->state();
  for (std::size_t k = 0; k < state.params.size(); ++k) {
    const Param& param = g.graph.params()[k];
    if (param.init.kind != Init::Kind::constant) continue;
    Random(2, param.name)
        .uniform(state.params[k].values(), param.init.a - 0.4f, param.init.a + 0.6f);
  }
  program->restore(state);
  return program;
}

Outcome run(Program& program, const CaseGraph& g) {
  program.forward(kIteration);
  Outcome outcome;
  for (std::size_t i = 0; i < g.graph.nodes().size(); ++i) {
    const NodeId id{static_cast<int>(i)};
    if (!g.graph.kept(id)) continue;
    Tensor value;
    program.read(id, value);
    outcome.push_back({fmt::format("value of '{}'", g.graph.node(id).name), std::move(value)});
  }
  outcome.push_back({"loss", Tensor(Shape{}, program.loss())});
  program.backward();
  std::ranges::move(gradients(program, g), std::back_inserter(outcome));
  return outcome;
}

Outcome gradients(const Program& program, const CaseGraph& g) {
  Outcome outcome;
  for (const auto& [id, unused] : g.inputs) {
    const Node& node = g.graph.node(id);
    if (!std::get<Input>(node.op).needs_grad) continue;
    Tensor grad;
    program.read_input_grad(id, grad);
    outcome.push_back({fmt::format("gradient of '{}'", node.name), std::move(grad)});
  }
  const std::vector<Tensor> grads = program.param_grads();
  for (std::size_t k = 0; k < grads.size(); ++k)
    outcome.push_back({fmt::format("gradient of '{}'", g.graph.params()[k].name), grads[k]});
  return outcome;
}

Tensor drawn_cotangent(const CaseGraph& g, NodeId node) {
  Tensor u(g.graph.shape(node));
  Random(5, g.graph.node(node).name).uniform(u.values(), -1.f, 1.f);
  return u;
}

Outcome run_from(Program& program, const CaseGraph& g, NodeId node) {
  program.forward(kIteration);
  program.backward(node, drawn_cotangent(g, node));
  return gradients(program, g);
}

Outcome train(Program& program, const CaseGraph& g) {
  Outcome outcome;
  for (int i = 0; i < 3; ++i)
    outcome.push_back({fmt::format("loss of step {}", i),
                       Tensor(Shape{}, program.step(kAdam, kIteration + i).value())});
  const TrainState state = program.state();
  for (std::size_t k = 0; k < state.params.size(); ++k)
    outcome.push_back(
        {fmt::format("'{}' after 3 steps", g.graph.params()[k].name), state.params[k]});
  return outcome;
}

std::string mistrusted(const Outcome& expected, const CaseGraph& g) {
  std::string text;
  for (const Labelled& item : expected) {
    if (vanishes(item, g)) continue;
    const auto values = item.value.values();
    const auto zeros = static_cast<std::size_t>(std::ranges::count(values, 0.f));
    const bool equal =
        values.size() > 1 && std::ranges::all_of(values, [&](float v) { return v == values[0]; });
    const bool mostly_zero = zeros == values.size() || (!g.sparse && zeros * 2 > values.size());
    if (equal || mostly_zero)
      text += fmt::format("MISTRUSTED {}: {} of {} expected values are 0{}\n", item.label, zeros,
                          values.size(), equal ? ", all are equal" : "");
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      text += fmt::format("MISTRUSTED {}: expected values are not finite\n", item.label);
  }
  return text;
}

std::string difference(const Outcome& expected, const Outcome& actual, double tolerance,
                       const CaseGraph& g) {
  if (expected.size() != actual.size()) return "different numbers of results\n";
  std::string text;
  const double floor = kVanishing * largest_gradient(expected);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Tensor& e = expected[k].value;
    const Tensor& a = actual[k].value;
    if (e.shape() != a.shape()) {
      text += fmt::format("{}: shape {}, expected {}\n", expected[k].label, to_string(a.shape()),
                          to_string(e.shape()));
      continue;
    }
    const double least = kLeastScale * largest(e.values());
    const std::size_t plane =
        static_cast<std::size_t>(e.shape().h) * static_cast<std::size_t>(e.shape().w);
    double worst = 0, bound = 0;  // where the difference is largest beside what it may be
    std::size_t where = e.count();
    for (std::size_t begin = 0; begin < e.count(); begin += plane) {
      const double scale = std::max(largest(e.values().subspan(begin, plane)), least);
      const double allowed = vanishes(expected[k], g) ? floor : tolerance * scale;
      for (std::size_t i = begin; i < begin + plane; ++i) {
        double d = std::abs(double{a.values()[i]} - double{e.values()[i]});
        if (std::isnan(d)) d = INFINITY;
        if (d > allowed && (where == e.count() || d / allowed > worst / bound))
          worst = d, bound = allowed, where = i;
      }
    }
    if (where < e.count())
      text += fmt::format("{}: {} where {} was expected, off by {:.3g} > {:.3g}, at {}\n",
                          expected[k].label, a.values()[where], e.values()[where], worst, bound,
                          pixel_name(e.shape(), where));
  }
  return text;
}

std::string bit_difference(const Outcome& expected, const Outcome& actual) {
  if (expected.size() != actual.size()) return "different numbers of results\n";
  const auto bits = [](float v) { return std::bit_cast<std::uint32_t>(v); };
  std::string text;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Tensor& e = expected[k].value;
    const Tensor& a = actual[k].value;
    std::size_t count = 0, first = 0;
    for (std::size_t i = e.count(); i-- > 0;)
      if (bits(e.values()[i]) != bits(a.values()[i])) ++count, first = i;
    if (count > 0)
      text += fmt::format("{}: {} of {} values differ, the first {} and {} at {}\n",
                          expected[k].label, count, e.count(), e.values()[first], a.values()[first],
                          pixel_name(e.shape(), first));
  }
  return text;
}

std::string test_name(const std::string& case_name) {
  std::string name = case_name;
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

std::string repro() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  return fmt::format("repro: test_engine --gtest_filter='{}.{}'", info->test_suite_name(),
                     info->name());
}

}  // namespace unmar::test
