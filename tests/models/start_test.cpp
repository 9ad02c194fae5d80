// How networks start, before any step.

#include <gtest/gtest.h>

#include <cmath>

#include "unmar/base/random.h"
#include "unmar/engine/engine.h"
#include "unmar/models/models.h"

namespace unmar::test {
namespace start_test {

class Start : public testing::TestWithParam<std::string> {};

NodeId named(const Graph& graph, const std::string& name) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    if (graph.nodes()[i].name == name) return {static_cast<int>(i)};
  ADD_FAILURE() << "no node " << name;
  return {};
}

/// A checkerboard would differ within the blocks that one pixel becomes.
void expect_equal_blocks(const Tensor& x) {
  const Shape& s = x.shape();
  float low = x.at(0, 0, 0, 0), high = low;
  for (int c = 0; c < s.c; ++c)
    for (int row = 0; row < s.h; ++row)
      for (int col = 0; col < s.w; ++col) {
        const float value = x.at(0, c, row, col);
        ASSERT_EQ(value, x.at(0, c, row / 2 * 2, col / 2 * 2))
            << "channel " << c << " row " << row << " column " << col;
        low = std::min(low, value);
        high = std::max(high, value);
      }
  EXPECT_GT(high - low, 0.01f) << "a constant proves nothing";
}

TEST_P(Start, pixel_shuffle_makes_no_checkerboard) {
  const NetworkOptions networks[] = {
      UnetOptions{.hidden_size = 6, .upsample = UpsampleMode::pixel_shuffle, .depth = 2},
      SkipOptions{
          .down = {6, 7}, .up = {8, 5}, .skip = {4, 4}, .upsample = {UpsampleMode::pixel_shuffle}},
      DecoderOptions{.layers = 2, .channels = 13, .upsample = UpsampleMode::pixel_shuffle},
  };
  const char* nodes[][2] = {{"up0.upsample", "up1.upsample"},
                            {"scale0.upsample", "scale1.upsample"},
                            {"layer0.upsample", "layer1.upsample"}};
  for (std::size_t i = 0; i < std::size(networks); ++i) {
    const Shape image{1, 3, 33, 47};
    const Size size = network_input_size(image, networks[i]);
    Tensor z(Shape{1, 13, size.h, size.w});
    Random(1, "z").uniform(z.values(), 0.f, 1.f);
    Graph graph;
    const NodeId in = graph.add(Input{z.shape()}, {}, "z");
    graph.keep(write_network(graph, in, image, networks[i]));
    for (const char* node : nodes[i]) graph.keep(named(graph, node));

    const auto program = make_engine(GetParam())->compile(graph, {.seed = 7, .threads = 2});
    program->set_input(in, z);
    program->forward(0);
    for (const char* node : nodes[i]) {
      SCOPED_TRACE(network_name(networks[i]) + " " + node);
      Tensor value;
      program->read(named(graph, node), value);
      expect_equal_blocks(value);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Start, testing::ValuesIn(engine_names()),
                         [](const auto& info) { return info.param; });

}  // namespace start_test
}  // namespace unmar::test
