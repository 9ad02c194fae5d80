#include "unmar/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "error_text.h"

namespace unmar {
namespace {

using test::error_text;

TEST(Graph, names_a_node_after_its_op_and_index_if_it_has_no_name) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  const NodeId y = g.add(Norm{}, {x});
  EXPECT_EQ(g.node(x).name, "input0");
  EXPECT_EQ(g.node(y).name, "norm1");
  EXPECT_EQ(g.params()[0].name, "norm1.gamma");
}

TEST(Graph, refuses_a_name_twice) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {}, "a");
  EXPECT_EQ(error_text([&] { g.add(Conv2d{4}, {x}, "a"); }),
            "conv2d 'a': the name is taken; give each node its own");
}

TEST(Graph, refuses_a_name_that_it_gave_itself_before) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  EXPECT_EQ(error_text([&] { g.add(Conv2d{4}, {x}, "input0"); }),
            "conv2d 'input0': the name is taken; give each node its own");
}

TEST(Graph, refuses_sources_that_are_not_its_nodes) {
  Graph g;
  g.add(Input{{1, 3, 8, 8}}, {});
  EXPECT_EQ(error_text([&] { g.add(Norm{}, {NodeId{1}}, "n"); }),
            "norm 'n': source 1 is not a node of this graph");
  EXPECT_EQ(error_text([&] { g.add(Norm{}, {NodeId{}}, "n"); }),
            "norm 'n': source -1 is not a node of this graph");
}

TEST(Graph, is_unchanged_by_a_refused_node) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  EXPECT_THROW(g.add(Conv2d{4, 2}, {x}, "even"), Error);
  EXPECT_EQ(g.nodes().size(), 1u);
  EXPECT_TRUE(g.params().empty());
  EXPECT_EQ(g.add(Conv2d{4, 3}, {x}, "even").index, 1);
}

TEST(Graph, a_copy_grows_apart_from_the_original) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  Graph copy = g;
  copy.add(Norm{}, {x});
  EXPECT_EQ(g.nodes().size(), 1u);
  EXPECT_EQ(copy.nodes().size(), 2u);
}

TEST(Graph, keeps_only_what_it_was_told_to) {
  Graph g;
  const NodeId a = g.add(Input{{1, 3, 8, 8}}, {});
  const NodeId b = g.add(Norm{}, {a});
  g.keep(b);
  g.keep(b);
  EXPECT_FALSE(g.kept(a));
  EXPECT_TRUE(g.kept(b));
}

TEST(Graph, takes_only_a_scalar_as_loss) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 8}}, {}, "x");
  EXPECT_FALSE(g.loss().has_value());
  EXPECT_EQ(error_text([&] { g.set_loss(x); }),
            "graph: the loss must be a scalar, 'x' is [1,3,8,8]");
  const NodeId loss = g.add(Mse{}, {x, x});
  g.set_loss(loss);
  EXPECT_EQ(g.loss(), loss);
}

TEST(Graph, counts_the_learned_numbers_of_all_nodes) {
  Graph g;
  NodeId x = g.add(Input{{1, 3, 8, 8}}, {});
  x = g.add(Conv2d{5, 3}, {x});
  x = g.add(Norm{}, {x});
  g.add(Conv2d{2, 1, 1, Border::zero, false}, {x});
  EXPECT_EQ(g.param_count(), 3u * 5 * 9 + 5 + 2 * 5 + 5 * 2);
  EXPECT_EQ(Graph().param_count(), 0u);
}

}  // namespace
}  // namespace unmar
