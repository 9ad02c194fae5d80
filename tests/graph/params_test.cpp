#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"
#include "unmar/graph/graph.h"

namespace unmar {
namespace {

using ::testing::Each;

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::ranges::equal(a.values(), b.values());
}

TEST(Params, conv_has_a_weight_and_a_bias_unless_told_otherwise) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  const NodeId a = g.add(Conv2d{5, 3}, {x}, "a");
  const NodeId b = g.add(Conv2d{4, 1, 1, Border::zero, false}, {a}, "b");
  ASSERT_EQ(g.params().size(), 3u);
  EXPECT_EQ(g.params()[0].name, "a.weight");
  EXPECT_EQ(g.params()[0].shape, (Shape{5, 3, 3, 3}));
  EXPECT_EQ(g.params()[1].name, "a.bias");
  EXPECT_EQ(g.params()[1].shape, (Shape{1, 5, 1, 1}));
  EXPECT_EQ(g.params()[2].name, "b.weight");
  EXPECT_EQ(g.params()[2].shape, (Shape{4, 5, 1, 1}));
  EXPECT_THAT(g.node(a).params, ::testing::ElementsAre(0, 1));
  EXPECT_THAT(g.node(b).params, ::testing::ElementsAre(2));
  EXPECT_EQ(g.params()[1].node, a);
  EXPECT_EQ(g.params()[2].node, b);
}

TEST(Params, norm_starts_as_the_identity) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  g.add(Norm{}, {x}, "n");
  ASSERT_EQ(g.params().size(), 2u);
  EXPECT_EQ(g.params()[0].name, "n.gamma");
  EXPECT_EQ(g.params()[1].name, "n.beta");
  EXPECT_EQ(g.params()[1].shape, (Shape{1, 3, 1, 1}));
  EXPECT_THAT(draw(g.params()[0], 1).values(), Each(1.f));
  EXPECT_THAT(draw(g.params()[1], 1).values(), Each(0.f));
}

// PyTorch: both weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
TEST(Params, conv_fills_the_interval_that_fan_in_gives) {
  Graph g;
  const NodeId x = g.add(Input{{1, 16, 8, 8}}, {});
  g.add(Conv2d{64, 5}, {x}, "a");
  constexpr float bound = 0.05f;  // 1 / sqrt(16 * 5 * 5)
  const Tensor weight = draw(g.params()[0], 1), bias = draw(g.params()[1], 1);
  for (const Tensor* t : {&weight, &bias}) {
    const auto [low, high] = std::ranges::minmax(t->values());
    EXPECT_GE(low, -bound);
    EXPECT_LE(high, bound);
    EXPECT_LT(low, -0.9f * bound);
    EXPECT_GT(high, 0.9f * bound);
  }
}

TEST(Draw, depends_on_the_seed_and_the_name_only) {
  const Init init{Init::Kind::uniform, -1.f, 1.f};
  const Param a{"a.weight", {8, 3, 3, 3}, init, NodeId{4}};
  Param elsewhere = a, renamed = a;
  elsewhere.node = NodeId{9};
  renamed.name = "b.weight";
  EXPECT_TRUE(equal(draw(a, 7), draw(a, 7)));
  EXPECT_TRUE(equal(draw(a, 7), draw(elsewhere, 7)));
  EXPECT_FALSE(equal(draw(a, 7), draw(a, 8)));
  EXPECT_FALSE(equal(draw(a, 7), draw(renamed, 7)));
}

TEST(Draw, does_not_change_when_another_node_is_put_in_front) {
  Graph plain, longer;
  const NodeId x = plain.add(Input{{1, 3, 8, 8}}, {});
  plain.add(Conv2d{4}, {x}, "a");
  NodeId y = longer.add(Input{{1, 3, 8, 8}}, {});
  y = longer.add(Norm{}, {y}, "first");
  longer.add(Conv2d{4}, {y}, "a");
  ASSERT_EQ(longer.params()[2].name, "a.weight");
  EXPECT_TRUE(equal(draw(plain.params()[0], 7), draw(longer.params()[2], 7)));
}

TEST(Parameters, take_the_name_and_the_start_that_they_are_given) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  const NodeId n = g.add(Norm{}, {x}, "norm1");
  g.rename(g.node(n).params[0], "norm1.weight");
  g.set_init(g.node(n).params[0], {Init::Kind::constant, 0.5f});
  EXPECT_EQ(g.params()[0].name, "norm1.weight");
  EXPECT_TRUE(equal(draw(g.params()[0], 7), Tensor({1, 3, 1, 1}, 0.5f)));
  g.rename(0, "norm1.weight");  // its own
  EXPECT_EQ(test::error_text([&] { g.rename(1, "norm1.weight"); }),
            "graph: parameter 'norm1.beta' cannot be renamed to 'norm1.weight': it is taken");
}

}  // namespace
}  // namespace unmar
