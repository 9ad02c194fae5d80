#include <gtest/gtest.h>

#include "unmar/graph/graph.h"

namespace unmar {
namespace {

Graph small() {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 6}}, {}, "z");
  const NodeId a = g.add(Conv2d{4, 3, 2}, {x}, "down.conv");
  g.add(Concat{}, {a, x}, "join");
  return g;
}

TEST(ToText, has_one_line_per_node_with_op_shape_and_sources) {
  EXPECT_EQ(to_text(small()),
            "z                        input                           [1,3,8,6]         \n"
            "down.conv                conv2d       3x3 / 2            [1,4,4,3]          <- z\n"
            "join                     concat                          [1,7,4,3]          <- "
            "down.conv, z\n");
}

TEST(ToText, tells_the_size_of_a_filter) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 6}}, {}, "x");
  g.add(Filter{std::make_shared<Tensor>(Shape{1, 1, 3, 5}, 1.f)}, {x}, "blur");
  EXPECT_NE(to_text(g).find("filter       3x5, reflect       [1,3,8,6]"), std::string::npos);
  EXPECT_EQ(count_macs(g), 15u * 3 * 8 * 6);
}

TEST(ToText, says_what_a_linear_op_does_and_not_its_matrices) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 8, 6}}, {}, "x");
  g.add(Linear::enlarge(g.shape(x), 2, ResizeKind::bilinear, true), {x}, "up");
  g.add(Linear::reduce(g.shape(x), ReduceKernel::lanczos2, 2), {x}, "down");
  EXPECT_EQ(to_text(g),
            "x                        input                           [1,3,8,6]         \n"
            "up                       linear       bilinear, corners  [1,3,16,12]        <- x\n"
            "down                     linear       lanczos2 / 2       [1,3,4,3]          <- x\n");
}

TEST(ToDot, has_a_box_per_node_and_an_arrow_per_source) {
  EXPECT_EQ(to_dot(small()),
            "digraph unmar {\n"
            "  node [shape=box, fontname=\"sans-serif\"];\n"
            "  n0 [label=\"z\\ninput\\n[1,3,8,6]\"];\n"
            "  n1 [label=\"down.conv\\nconv2d 3x3 / 2\\n[1,4,4,3]\"];\n"
            "  n0 -> n1;\n"
            "  n2 [label=\"join\\nconcat\\n[1,7,4,3]\"];\n"
            "  n1 -> n2;\n"
            "  n0 -> n2;\n"
            "}\n");
}

TEST(Print, an_empty_graph_is_still_a_document) {
  EXPECT_EQ(to_text(Graph()), "");
  EXPECT_EQ(to_dot(Graph()), "digraph unmar {\n  node [shape=box, fontname=\"sans-serif\"];\n}\n");
}

}  // namespace
}  // namespace unmar
