#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "engine/harness.h"
#include "engine/random_graph.h"
#include "unmar/base/random.h"

/// Engine `cuda` with Precision::bf16: pictures between layers are stored as bf16.
namespace unmar::test {
namespace storage_test {

Tensor drawn(const Shape& shape, const std::string& name) {
  Tensor t(shape);
  Random(3, name).uniform(t.values(), -1.f, 1.f);
  return t;
}
NodeId input(CaseGraph& g, const Shape& shape, const std::string& name = "x") {
  const NodeId id = g.graph.add(Input{shape, true}, {}, name);
  g.inputs.emplace_back(id, drawn(shape, name));
  return id;
}
CaseGraph finish(CaseGraph g, NodeId out) {
  g.graph.keep(out);
  const Shape& s = g.graph.shape(out);
  const NodeId target =
      g.graph.add(Constant{std::make_shared<const Tensor>(drawn(s, "target"))}, {}, "target");
  g.graph.set_loss(g.graph.add(Mse{}, {out, target}, "loss"));
  return g;
}

/// To the nearest, ties to even.
float to_bf16(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v);
  return std::bit_cast<float>((bits + 0x7FFFu + (bits >> 16 & 1)) & 0xFFFF0000u);
}

/// `x` lies between the first op and the last as it is stored. Four channels at a time, and one.
class Rounding : public ::testing::TestWithParam<std::string> {};

TEST_P(Rounding, is_to_the_nearest) {
  CaseGraph g;
  const Shape shape{1, 4, 5, 7};
  const NodeId x = input(g, shape), jitter = g.graph.add(Jitter{0.f}, {x}, "stored");
  const NodeId out = g.graph.add(Linear::enlarge(shape, 2, ResizeKind::nearest), {jitter}, "out");
  g = finish(std::move(g), out);
  Tensor& value = g.inputs[0].second;
  value.data()[0] = 1.00390625f;  // half way: to the even one below
  value.data()[1] = 1.01171875f;  // and above
  value.data()[2] = -1e30f;
  const auto program = prepare(GetParam(), g, {}, Precision::bf16);
  Tensor actual, d_x;
  program->forward(0);
  program->read(out, actual);
  program->backward();
  program->read_input_grad(x, d_x);
  const Tensor target = drawn(g.graph.shape(out), "target");
  for (int c = 0; c < shape.c; ++c)
    for (int y = 0; y < shape.h; ++y)
      for (int w = 0; w < shape.w; ++w) {
        const float stored = to_bf16(value.at(0, c, y, w));
        float d = 0;
        for (int i = 0; i < 4; ++i) {
          ASSERT_EQ(actual.at(0, c, 2 * y + i / 2, 2 * w + i % 2), stored);
          d += 2 * (stored - target.at(0, c, 2 * y + i / 2, 2 * w + i % 2));
        }
        d /= static_cast<float>(target.count());
        EXPECT_NEAR(d_x.at(0, c, y, w), d, std::abs(d) / 256);
        EXPECT_EQ(d_x.at(0, c, y, w), to_bf16(d_x.at(0, c, y, w)));
      }
}

// A channel far from 0 whose values are all stored as one: a norm must find that one as its mean,
// whether the product tells it or the stored values do (in bands).
TEST_P(Rounding, comes_before_what_a_norm_makes_of_it) {
  CaseGraph g;
  const NodeId x = input(g, {1, 8, 16, 16});
  NodeId y = g.graph.add(Conv2d{.out_c = 4, .kernel = 1}, {x}, "conv");
  y = g.graph.add(Norm{}, {y}, "norm");
  const NodeId out = g.graph.add(Conv2d{.out_c = 3, .kernel = 1}, {y}, "out");
  g = finish(std::move(g), out);
  const auto values = [&](std::size_t band_bytes) {
    const auto program = prepare(GetParam(), g, {.band_bytes = band_bytes}, Precision::bf16);
    TrainState state = program->state();
    for (std::size_t k = 0; k < state.params.size(); ++k) {
      if (g.graph.params()[k].name == "conv.bias")
        std::ranges::fill(state.params[k].values(), 10.01f);
      if (g.graph.params()[k].name == "conv.weight")
        std::ranges::fill(state.params[k].values(), 1e-3f);
    }
    program->restore(state);
    Tensor actual;
    program->forward(0);
    program->read(out, actual);
    return actual;
  };
  const Tensor whole = values(std::size_t{1} << 20), bands = values(1000);
  for (std::size_t i = 0; i < whole.count(); ++i)
    ASSERT_NEAR(whole.values()[i], bands.values()[i], 1e-3);
}

/// A graph in which what `middle` reads and makes is stored as bf16.
struct StoredCase {
  std::string name;
  Shape shape;  ///< of what it reads
  std::function<NodeId(Graph&, NodeId)> middle;
};
void PrintTo(const StoredCase& c, std::ostream* out) { *out << c.name; }

CaseGraph around(const StoredCase& c) {
  CaseGraph g;
  const Shape& s = c.shape;
  const NodeId x = input(g, {s.n, 8, s.h, s.w});
  const NodeId before =
      g.graph.add(Conv2d{.out_c = s.c, .kernel = 1, .bias = false}, {x}, "before");
  const NodeId after = c.middle(g.graph, before);
  return finish(std::move(g), g.graph.add(Conv2d{.out_c = 3, .kernel = 1}, {after}, "after"));
}

std::vector<StoredCase> cases() {
  const auto one = [](Op op) { return [op](Graph& g, NodeId x) { return g.add(op, {x}, "op"); }; };
  const auto norm = [](NormKind kind, int groups, ActivationKind act) {
    return [=](Graph& g, NodeId x) {
      const NodeId n = g.add(Norm{.kind = kind, .groups = groups}, {x}, "norm");
      return g.add(Activation{act, 0.2f}, {n}, "op");
    };
  };
  const Shape some{1, 24, 7, 9}, two{2, 20, 6, 5}, few{1, 4, 9, 12};
  using A = ActivationKind;
  std::vector<StoredCase> all{
      {"conv_k3_reflect", some, one(Conv2d{.out_c = 20, .kernel = 3, .border = Border::reflect})},
      {"conv_k3_s2", two, one(Conv2d{.out_c = 24, .kernel = 3, .stride = 2})},
      {"conv_o132", {1, 132, 6, 7}, one(Conv2d{.out_c = 132, .kernel = 1})},
      {"conv_split", {1, 256, 4, 4}, one(Conv2d{.out_c = 128, .kernel = 3})},
      {"batch", two, one(Norm{})},
      {"instance_relu", two, norm(NormKind::instance, 1, A::relu)},
      {"group_silu", two, norm(NormKind::group, 5, A::silu)},
      {"gelu", some, one(Activation{A::gelu, 0.f})},
      {"enlarged", few, one(Linear::enlarge({1, 4, 9, 12}, 2))},
      {"reduced", some, one(Linear::resize({1, 24, 7, 9}, ResizeKind::area, 3, 4))},
      {"max_pool", two, one(MaxPool{2})},
      {"concat_in_place", some,
       [](Graph& g, NodeId x) {
         const NodeId y = g.add(Conv2d{.out_c = 4, .kernel = 3, .bias = false}, {x}, "y");
         const NodeId z = g.add(Conv2d{.out_c = 16, .kernel = 1, .bias = false}, {x}, "z");
         return g.add(Norm{}, {g.add(Concat{}, {y, z}, "concat")}, "op");
       }},
      {"concat_cropped", some,
       [](Graph& g, NodeId x) {
         const NodeId y = g.add(Conv2d{.out_c = 12, .kernel = 3, .stride = 2}, {x}, "y");
         return g.add(Concat{}, {x, y}, "op");
       }},
      {"residual", some,
       [](Graph& g, NodeId x) {
         const NodeId y = g.add(Conv2d{.out_c = 24, .kernel = 3}, {x}, "y");
         return g.add(Add{}, {y, x}, "op");
       }},
      {"two_readers", some, [](Graph& g, NodeId x) {
         const NodeId y = g.add(Activation{A::sigmoid, 0.f}, {x}, "y");
         return g.add(Add{}, {x, y}, "op");
       }}};
  all.push_back({"add_one_pixel", two, [](Graph& g, NodeId x) {
                   const Shape& s = g.shape(x);
                   const NodeId small =
                       g.add(Linear::resize(s, ResizeKind::area, 1, 1), {x}, "small");
                   return g.add(Add{}, {x, small}, "op");
                 }});
  return all;
}

class Storage : public ::testing::TestWithParam<std::tuple<std::string, StoredCase>> {
 protected:
  const std::string& engine() const { return std::get<0>(GetParam()); }
  CaseGraph g_ = around(std::get<1>(GetParam()));
};

/// Factors and values of 8 bits, as in parity_test.cpp.
constexpr double kTolerance = 8e-2;

TEST_P(Storage, gives_the_values_and_gradients_of_ref) {
  const Outcome expected = run(*prepare("ref", g_), g_);
  for (const std::size_t band : {std::size_t{1} << 20, std::size_t{600}}) {
    const auto stored =
        prepare(engine(), g_, {.poison = true, .band_bytes = band}, Precision::bf16);
    EXPECT_EQ(difference(expected, run(*stored, g_), kTolerance, g_), "") << repro();
  }
}

TEST_P(Storage, gives_the_same_bits_where_idle_memory_is_poisoned) {
  const auto all = [&](bool poison) {
    const auto program = prepare(engine(), g_, {.poison = poison}, Precision::bf16);
    Outcome outcome = run(*program, g_);
    for (Labelled& item : train(*program, g_)) outcome.push_back(std::move(item));
    return outcome;
  };
  EXPECT_EQ(bit_difference(all(false), all(true)), "") << repro();
}

class RandomStorage : public ::testing::TestWithParam<std::tuple<std::string, unsigned>> {};

// Which values are bf16 is decided node by node: no two that share memory may differ in it.
TEST_P(RandomStorage, gives_the_same_bits_where_idle_memory_is_poisoned) {
  const auto& [engine, seed] = GetParam();
  const CaseGraph g = random_graph(seed);
  const auto all = [&, &engine = engine](bool poison) {
    return run(*prepare(engine, g, {.poison = poison}, Precision::bf16), g);
  };
  const Outcome outcome = all(true);
  for (const Labelled& item : outcome)
    for (const float v : item.value.values()) ASSERT_TRUE(std::isfinite(v)) << item.label;
  EXPECT_EQ(bit_difference(outcome, all(false)), "") << to_text(g.graph) << repro();
}

std::vector<std::string> cards() {
  const std::vector<std::string> names = engine_names();
  return std::ranges::find(names, "cuda") == names.end() ? std::vector<std::string>()
                                                         : std::vector<std::string>{"cuda"};
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Rounding);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Storage);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RandomStorage);
INSTANTIATE_TEST_SUITE_P(Engines, Rounding, ::testing::ValuesIn(cards()));
INSTANTIATE_TEST_SUITE_P(
    Ops, Storage, ::testing::Combine(::testing::ValuesIn(cards()), ::testing::ValuesIn(cases())),
    [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param).name; });
INSTANTIATE_TEST_SUITE_P(Seeds, RandomStorage,
                         ::testing::Combine(::testing::ValuesIn(cards()),
                                            ::testing::Range(0u, 30u)),
                         [](const auto& info) {
                           return fmt::format("{}_{}", std::get<0>(info.param),
                                              std::get<1>(info.param));
                         });

}  // namespace storage_test
}  // namespace unmar::test
