#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/plan/node_plan.h"
#include "engine/plan/reach.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace graph_plan_test {

using testing::HasSubstr;
using testing::Not;

/// x -> conv -> norm -> act -> conv2 -> up -> cat(up, side) -> out, and a loss.
class Plan : public testing::Test {
 protected:
  Plan() {
    x = g.add(Input{{1, 2, 8, 8}}, {}, "x");
    conv = g.add(Conv2d{4}, {x}, "conv");
    norm = g.add(Norm{}, {conv}, "norm");
    act = g.add(Activation{kind_}, {norm}, "act");
    conv2 = g.add(Conv2d{4}, {act}, "conv2");
    up = g.add(Linear::enlarge(g.shape(conv2), 2), {conv2}, "up");
    side = g.add(Input{{1, 3, 16, 16}}, {}, "side");
    cat = g.add(Concat{}, {up, side}, "cat");
    out = g.add(Conv2d{4, 1}, {cat}, "out");
    const NodeId y = g.add(Constant{std::make_shared<const Tensor>(g.shape(out))}, {}, "y");
    loss = g.add(Mse{}, {out, y}, "loss");
    g.set_loss(loss);
  }
  GraphPlan plan(std::vector<NodeId> also = {}) const {
    return GraphPlan(g, backward_roots(g, also));
  }

  ActivationKind kind_ = ActivationKind::leaky_relu;
  Graph g;
  NodeId x, conv, norm, act, conv2, up, side, cat, out, loss;
};

TEST_F(Plan, ANormIsComputedWithItsActivationAndBothByTheirReaders) {
  const GraphPlan p = plan();
  EXPECT_EQ(p[norm].fused_into, act);
  EXPECT_FALSE(p[norm].stored);
  EXPECT_FALSE(p[act].stored);
  EXPECT_EQ(p.sources(act), std::vector<NodeId>{conv});
  EXPECT_EQ(p.sources(conv2), std::vector<NodeId>{act});
  EXPECT_EQ(p[conv].grad_in, act);
}

TEST_F(Plan, WhatIsKeptOrARootIsStored) {
  EXPECT_TRUE(plan({act})[act].stored);
  const GraphPlan p = plan({norm});
  EXPECT_FALSE(p[norm].fused_into.valid());
  EXPECT_TRUE(p[norm].stored);
  g.keep(act);
  EXPECT_TRUE(plan()[act].stored);
  EXPECT_EQ(plan()[norm].fused_into, act);
}

TEST_F(Plan, AnEnlargedValueIsWrittenIntoItsConcatAndBothAreMadeAgain) {
  const GraphPlan p = plan();
  EXPECT_EQ(p[up].value_in, cat);
  EXPECT_FALSE(p[side].value_in.valid()) << "inputs live elsewhere";
  EXPECT_EQ(p[cat].recompute_at, out.index);
  EXPECT_EQ(p[up].recompute_at, -1) << "with the concat";
}

TEST_F(Plan, GradientsAreThoseOnThePathsFromWhatLearns) {
  const GraphPlan p = plan();
  EXPECT_FALSE(p[x].has_grad || p[side].has_grad);
  EXPECT_TRUE(p[conv].has_grad && p[cat].has_grad && p[loss].has_grad);
  Graph without = g;
  for (int i = 0; i < static_cast<int>(g.params().size()); ++i) without.freeze(i);
  const GraphPlan none(without, backward_roots(without, {}));
  EXPECT_FALSE(none[conv].has_grad || none[loss].has_grad);
}

TEST_F(Plan, IsToldNodeByNode) {
  const std::string text = plan_text(g);
  EXPECT_THAT(text, HasSubstr("computed with 'act'\n"));
  EXPECT_THAT(text, HasSubstr("gradient in place of that of 'act'"));
  EXPECT_THAT(text, HasSubstr("written into 'cat'"));
  EXPECT_THAT(text, HasSubstr("made again for backward of 'out'"));
  EXPECT_THAT(text, Not(HasSubstr(" \n")));
}

}  // namespace graph_plan_test
}  // namespace unmar
