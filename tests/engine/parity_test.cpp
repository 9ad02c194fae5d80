#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <string>
#include <tuple>

#include "engine/harness.h"

namespace unmar::test {
namespace parity_test {

/// Engines add in another order and with fused multiply-add; Winograd convolutions lose another
/// two digits. A wrong border, index or factor is off by far more.
constexpr double kTolerance = 1e-4;
/// Three updates with eps = 1e-3 carry an error of 1e-4 in a gradient of that size into the
/// parameters almost undamped.
constexpr double kTrainedTolerance = 1e-3;

std::vector<std::string> engines_but_ref() {
  std::vector<std::string> names = engine_names();
  std::erase(names, "ref");
  return names;
}

using EngineAndCase = std::tuple<std::string, OpCase>;

std::string name_of(const ::testing::TestParamInfo<EngineAndCase>& info) {
  return test_name(std::get<0>(info.param) + "_" + std::get<1>(info.param).name);
}

class Parity : public ::testing::TestWithParam<EngineAndCase> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Parity);

TEST_P(Parity, holds_with_ref) {
  const auto& [engine, op_case] = GetParam();
  const CaseGraph g = op_case.build();
  const auto ref = prepare("ref", g);
  const auto other = prepare(engine, g);
  const Outcome expected = run(*ref, g);
  EXPECT_EQ(mistrusted(expected, g), "") << repro();
  EXPECT_EQ(difference(expected, run(*other, g), kTolerance, g), "") << repro();
  EXPECT_EQ(difference(train(*ref, g), train(*other, g), kTrainedTolerance, g), "") << repro();
}

INSTANTIATE_TEST_SUITE_P(Ops, Parity,
                         ::testing::Combine(::testing::ValuesIn(engines_but_ref()),
                                            ::testing::ValuesIn(op_cases())),
                         name_of);

/// Factors of 10 bits of mantissa make a product off by 2^-10 at most. Where a sum of few cancels,
/// that is more of what is left: 5e-3 at the worst place of the table.
constexpr double kTf32Tolerance = 1e-2;
/// bf16 keeps 3 bits less.
constexpr double kBf16Tolerance = 8e-2;

TEST_P(Parity, holds_with_rounded_factors) {
  const auto& [engine, op_case] = GetParam();
  if (engine != "cuda" || !op_case.name.starts_with("conv.")) return;
  const CaseGraph g = op_case.build();
  const auto ref = prepare("ref", g);
  for (const auto& [precision, tolerance] :
       {std::pair{Precision::tf32, kTf32Tolerance}, {Precision::bf16, kBf16Tolerance}}) {
    const auto rounded = prepare(engine, g, {}, precision);
    const Outcome first = run(*rounded, g);
    EXPECT_EQ(difference(run(*ref, g), first, tolerance, g), "") << repro();
    EXPECT_EQ(bit_difference(first, run(*rounded, g)), "") << "in a second pass\n" << repro();
  }
}

// A large picture is convolved in bands; here even these are. Where all values fit and an operand
// with its border does not, there are bands, but memory is not short.
TEST_P(Parity, holds_with_convolutions_in_bands) {
  const auto& [engine, op_case] = GetParam();
  const bool convolves =
      op_case.name.starts_with("conv.") || op_case.name.starts_with("chain.conv_");
  if (engine != "cuda" || !convolves) return;
  const CaseGraph g = op_case.build();
  std::size_t largest = 0;
  for (const Node& node : g.graph.nodes())
    largest = std::max(largest, node.shape.count() * sizeof(float));
  if (g.graph.nodes().front().shape.count() > 20000) return;  // too slow for a row at a time
  const auto ref = prepare("ref", g);
  const Outcome expected = run(*ref, g);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{9000}, largest}) {
    const auto banded = prepare(engine, g, {.poison = true, .band_bytes = bytes});
    EXPECT_EQ(difference(expected, run(*banded, g), kTolerance, g), "") << repro();
  }
}

// Small maps are convolved directly, so the table could lose its Winograd cases unseen.
TEST(OpTable, reaches_winograd_tiles_of_both_sizes_through_both_borders) {
  std::set<std::string> reached;
  for (const OpCase& c : op_cases()) {
    if (!c.name.starts_with("conv.k3.s1.")) continue;
    const auto program = prepare("cpu", c.build());
    program->start_profile();
    program->forward(0);
    for (const StepProfile& step : program->profile())
      for (const std::string& note : step.notes)
        if (note.starts_with("winograd"))
          reached.insert((c.name.find(".zero") != std::string::npos ? "zero " : "reflect ") + note);
  }
  EXPECT_EQ(reached, (std::set<std::string>{"reflect winograd 4x4", "reflect winograd 6x6",
                                            "zero winograd 4x4", "zero winograd 6x6"}));
}

// exp() in SIMD may know less of the axis than the libraries': a sigmoid of -105 was NaN.
TEST(FarOut, activations_are_those_of_ref) {
  constexpr int kValues = 64;  // whole vectors and more
  const float far[] = {-1e30f, -1e4f, -200, -105, -90, -30, 30, 90, 105, 200, 1e4f, 1e30f};
  Tensor z({1, 1, 1, kValues}), expected, actual;
  for (std::size_t i = 0; i < z.count(); ++i) z.data()[i] = far[i % std::size(far)];
  using K = ActivationKind;
  for (const K kind : {K::leaky_relu, K::elu, K::silu, K::gelu, K::tanh, K::sigmoid}) {
    Graph graph;
    const NodeId x = graph.add(Input{z.shape()}, {}, "x");
    const NodeId y = graph.add(Activation{kind, 0.2f}, {x}, "y");
    graph.keep(y);
    const auto forward = [&](const std::string& engine, Tensor& out) {
      const auto program = make_engine(engine)->compile(graph, {});
      program->set_input(x, {z.data(), z.shape()});
      program->forward(0);
      program->read(y, out);
    };
    forward("ref", expected);
    for (const std::string& engine : engines_but_ref()) {
      forward(engine, actual);
      for (std::size_t i = 0; i < z.count(); ++i)
        EXPECT_NEAR(actual.data()[i], expected.data()[i],
                    1e-5 * std::max(1.f, std::abs(expected.data()[i])))
            << static_cast<int>(kind) << " of " << z.data()[i];
    }
  }
}

TEST(EveryEngine, has_every_op) {
  for (const std::string& engine : engines_but_ref())
    for (const OpCase& c : op_cases())
      EXPECT_THAT(make_engine(engine)->missing(c.build().graph), testing::IsEmpty())
          << engine << ", " << c.name;
}

class SameBits : public ::testing::TestWithParam<EngineAndCase> {
 protected:
  void SetUp() override {
    std::tie(engine_, op_case_) = GetParam();
    g_ = op_case_.build();
  }

  /// Two passes and three updates.
  Outcome all(const CompileOptions& options) const {
    const auto program = prepare(engine_, g_, options);
    Outcome outcome = run(*program, g_);
    const std::string second = bit_difference(outcome, run(*program, g_));
    EXPECT_EQ(second, "") << "in a second pass of one program\n" << repro();
    for (Labelled& item : train(*program, g_)) outcome.push_back(std::move(item));
    return outcome;
  }

  std::string engine_;
  OpCase op_case_;
  CaseGraph g_;
};

TEST_P(SameBits, come_from_any_run_thread_count_and_poisoned_arena) {
  const Outcome expected = all({.threads = 1});
  if (engine_ == "cpu") {
    EXPECT_EQ(bit_difference(expected, all({.threads = 2})), "") << "2 threads\n" << repro();
    EXPECT_EQ(bit_difference(expected, all({.threads = 3})), "") << "3 threads\n" << repro();
  }
  EXPECT_EQ(bit_difference(expected, all({.threads = 1, .poison = true})), "")
      << "compiled again, over an arena full of NaN\n"
      << repro();
}

INSTANTIATE_TEST_SUITE_P(Ops, SameBits,
                         ::testing::Combine(::testing::ValuesIn(engine_names()),
                                            ::testing::ValuesIn(op_cases())),
                         name_of);

}  // namespace parity_test
}  // namespace unmar::test
