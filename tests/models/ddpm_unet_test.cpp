// The noise predictor: its parameters, how they start, and its configuration file. The passes of
// tests/fixtures compare its values with PyTorch.

#include "unmar/models/ddpm_unet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "error_text.h"
#include "unmar/engine/engine.h"

namespace unmar::test {
namespace ddpm_unet_test {

using ::testing::Each;
using ::testing::HasSubstr;

struct Written {
  Graph graph;
  NodeId out;
};

Written written(const DdpmUnetOptions& options, const Shape& sample) {
  Written w;
  const NodeId x = w.graph.add(Input{sample}, {}, "x");
  const NodeId t = w.graph.add(Input{{sample.n, 1, 1, 1}}, {}, "t");
  w.out = write_ddpm_unet(w.graph, x, t, options);
  return w;
}

DdpmUnetOptions small() {
  DdpmUnetOptions o;
  o.down_block_types = {DdpmBlock::resnet, DdpmBlock::attention};
  o.up_block_types = {DdpmBlock::attention, DdpmBlock::resnet};
  o.block_out_channels = {8, 16};
  o.layers_per_block = 1;
  o.attention_head_dim = 8;
  o.norm_num_groups = 4;
  return o;
}

TEST(DdpmUnet, of_cifar10_has_the_parameters_of_the_published_network) {
  const Written w = written(ddpm_cifar10_unet(), {1, 3, 32, 32});
  EXPECT_EQ(w.graph.params().size(), 328u);
  EXPECT_EQ(w.graph.param_count(), 35'746'307u);
  EXPECT_EQ(w.graph.shape(w.out), (Shape{1, 3, 32, 32}));
}

TEST(DdpmUnet, of_256_pixels_has_the_parameters_of_the_published_network) {
  const Written w = written(ddpm_256_unet(), {1, 3, 256, 256});
  EXPECT_EQ(w.graph.params().size(), 450u);
  EXPECT_EQ(w.graph.param_count(), 113'673'219u);
}

TEST(DdpmUnet, of_cifar10_does_the_work_of_the_published_network) {
  const Written w = written(ddpm_cifar10_unet(), {1, 3, 32, 32});
  EXPECT_NEAR(static_cast<double>(count_macs(w.graph)), 6.22e9, 0.01e9);
}

TEST(DdpmUnet, names_its_parameters_as_diffusers_does) {
  const Written w = written(ddpm_cifar10_unet(), {2, 3, 32, 32});
  std::map<std::string, Shape> shapes;
  for (const Param& p : w.graph.params()) shapes[p.name] = p.shape;
  const std::pair<const char*, Shape> expected[] = {
      {"conv_in.weight", {128, 3, 3, 3}},
      {"time_embedding.linear_1.weight", {512, 128, 1, 1}},
      {"time_embedding.linear_2.bias", {1, 512, 1, 1}},
      {"down_blocks.0.resnets.1.norm1.weight", {1, 128, 1, 1}},
      {"down_blocks.0.downsamplers.0.conv.weight", {128, 128, 3, 3}},
      {"down_blocks.1.resnets.0.conv_shortcut.weight", {256, 128, 1, 1}},
      {"down_blocks.1.resnets.0.time_emb_proj.weight", {256, 512, 1, 1}},
      {"down_blocks.1.attentions.1.group_norm.bias", {1, 256, 1, 1}},
      {"down_blocks.1.attentions.0.to_q.weight", {256, 256, 1, 1}},
      {"down_blocks.1.attentions.0.to_k.bias", {1, 256, 1, 1}},
      {"down_blocks.1.attentions.0.to_v.weight", {256, 256, 1, 1}},
      {"down_blocks.3.resnets.1.conv2.bias", {1, 256, 1, 1}},
      {"mid_block.attentions.0.to_out.0.weight", {256, 256, 1, 1}},
      {"mid_block.resnets.1.norm2.bias", {1, 256, 1, 1}},
      {"up_blocks.0.resnets.2.conv1.weight", {256, 512, 3, 3}},
      {"up_blocks.2.attentions.2.to_out.0.bias", {1, 256, 1, 1}},
      {"up_blocks.2.resnets.2.conv1.weight", {256, 384, 3, 3}},
      {"up_blocks.2.upsamplers.0.conv.weight", {256, 256, 3, 3}},
      {"up_blocks.3.resnets.0.conv1.weight", {128, 384, 3, 3}},
      {"up_blocks.3.resnets.2.conv_shortcut.bias", {1, 128, 1, 1}},
      {"conv_norm_out.weight", {1, 128, 1, 1}},
      {"conv_out.bias", {1, 3, 1, 1}},
  };
  for (const auto& [name, shape] : expected) {
    ASSERT_EQ(shapes.count(name), 1u) << name;
    EXPECT_EQ(shapes[name], shape) << name;
  }
  EXPECT_EQ(shapes.count("down_blocks.3.downsamplers.0.conv.weight"), 0u);
  EXPECT_EQ(shapes.count("up_blocks.3.upsamplers.0.conv.weight"), 0u);
  EXPECT_EQ(shapes.count("down_blocks.0.resnets.0.conv_shortcut.weight"), 0u);
}

TEST(DdpmUnet, starts_with_the_variance_of_ho_et_al) {
  DdpmUnetOptions options = small();
  options.block_out_channels = {64, 128};
  const Written w = written(options, {1, 3, 32, 32});
  for (const Param& p : w.graph.params()) {
    const Tensor value = draw(p, 1);
    const bool norm = p.name.find("norm") != std::string::npos;
    const bool weight = p.name.ends_with(".weight");
    const bool ends = p.name.find(".conv2.") != std::string::npos ||
                      p.name.find(".to_out.") != std::string::npos ||
                      p.name.starts_with("conv_out");
    if (!weight || norm || ends) {
      EXPECT_THAT(value.values(), Each(weight && norm ? 1.f : 0.f)) << p.name;
      continue;
    }
    if (value.count() < 1000) continue;
    double squares = 0;
    for (const float v : value.values()) squares += double{v} * double{v};
    const double area = p.shape.h * p.shape.w, fans = (p.shape.n + p.shape.c) * area;
    // A variance from 1000 uniform numbers is off by 3 % (one sigma).
    EXPECT_NEAR(squares / static_cast<double>(value.count()) / (2 / fans), 1, 0.12) << p.name;
  }
}

TEST(DdpmUnet, predicts_no_noise_before_it_has_learned) {
  Written w = written(small(), {2, 3, 8, 8});
  w.graph.keep(w.out);
  const auto program = make_engine()->compile(w.graph, {.seed = 3});
  program->set_input({0}, Tensor({2, 3, 8, 8}, 0.5f));
  program->set_input({1}, Tensor({2, 1, 1, 1}, 7.f));
  program->forward(0, false);
  Tensor out;
  program->read(w.out, out);
  EXPECT_THAT(out.values(), Each(0.f));
}

TEST(DdpmUnet, drops_out_only_if_asked) {
  const auto dropouts = [](const DdpmUnetOptions& o) {
    const Written w = written(o, {1, 3, 8, 8});
    return std::ranges::count_if(
        w.graph.nodes(), [](const Node& n) { return std::holds_alternative<Dropout>(n.op); });
  };
  DdpmUnetOptions o = small();
  EXPECT_EQ(dropouts(o), 0);
  o.dropout = 0.25f;
  EXPECT_EQ(dropouts(o), 8);  // one per residual block: 2 down, 2 middle, 4 up
}

TEST(DdpmUnet, centres_the_sample_if_asked) {
  const auto first = [](bool centre, float value) {
    DdpmUnetOptions o = small();
    o.center_input_sample = centre;
    Written w = written(o, {1, 3, 8, 8});
    const auto in = std::ranges::find(w.graph.nodes(), "conv_in", &Node::name);
    const NodeId id{static_cast<int>(in - w.graph.nodes().begin())};
    w.graph.keep(id);
    const auto program = make_engine()->compile(w.graph, {.seed = 3});
    program->set_input({0}, Tensor({1, 3, 8, 8}, value));
    program->set_input({1}, Tensor({1, 1, 1, 1}, 7.f));
    program->forward(0, false);
    Tensor out;
    program->read(id, out);
    return std::vector<float>(out.values().begin(), out.values().end());
  };
  EXPECT_EQ(first(true, 0.75f), first(false, 0.5f));
  EXPECT_NE(first(true, 0.75f), first(false, 0.75f));
}

std::string refusal(const DdpmUnetOptions& options, const Shape& sample = {1, 3, 8, 8}) {
  return error_text([&] { written(options, sample); });
}

TEST(DdpmUnet, refuses_options_and_sources_that_do_not_suit_each_other) {
  EXPECT_THAT(refusal(small(), {1, 1, 8, 8}), HasSubstr("in_channels is 3 but the sample is"));
  EXPECT_THAT(refusal(small(), {1, 3, 8, 7}), HasSubstr("multiples of 2, got 7x8"));
  DdpmUnetOptions o = small();
  o.up_block_types.pop_back();
  EXPECT_THAT(refusal(o), HasSubstr("up_block_types (1)"));
  o = small();
  o.norm_num_groups = 3;
  EXPECT_THAT(refusal(o), HasSubstr("'down_blocks.0.resnets.0.norm1': 8 channels"));
  o = small();
  o.attention_head_dim = 5;
  EXPECT_THAT(refusal(o), HasSubstr("attention_head_dim 5"));
  o.attention_head_dim = 0;
  EXPECT_THAT(refusal(o), HasSubstr("attention_head_dim"));
  o = small();
  o.downsample_padding = 2;
  EXPECT_THAT(refusal(o), HasSubstr("downsample_padding must be 0 or 1, got 2"));
  o = small();
  o.layers_per_block = 0;
  EXPECT_THAT(refusal(o), HasSubstr("layers_per_block"));
  o = {};
  o.block_out_channels.clear();
  EXPECT_THAT(refusal(o), HasSubstr("block_out_channels must have 1 to 16 entries, has 0"));
  Graph graph;
  const NodeId x = graph.add(Input{{2, 3, 8, 8}}, {}, "x");
  const NodeId t = graph.add(Input{{1, 1, 1, 1}}, {}, "t");
  EXPECT_THAT(error_text([&] { write_ddpm_unet(graph, x, t, small()); }),
              HasSubstr("timesteps must be [2,1,1,1]"));
}

// ---- config.json ------------------------------------------------------------------------------

/// The file beside the published CIFAR-10 weights says this.
constexpr const char* kCifar10 = R"({
  "_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu",
  "attention_head_dim": null, "block_out_channels": [128, 256, 256, 256],
  "center_input_sample": false,
  "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
  "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "in_channels": 3,
  "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-06, "norm_num_groups": 32,
  "out_channels": 3, "sample_size": 32, "time_embedding_type": "positional",
  "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]})";

TEST(DdpmUnetJson, of_the_published_cifar10_network_is_that_of_the_paper) {
  DdpmUnetOptions expected = ddpm_cifar10_unet();
  expected.dropout = 0.f;  // published for use, not for training
  EXPECT_EQ(ddpm_unet_to_json(ddpm_unet_from_json(kCifar10, "c")), ddpm_unet_to_json(expected));
}

TEST(DdpmUnetJson, says_everything_that_it_reads) {
  DdpmUnetOptions o = small();
  o.sample_size = 28;
  o.in_channels = o.out_channels = 1;
  o.center_input_sample = true;
  o.freq_shift = 0.5f;
  o.downsample_padding = 0;
  o.dropout = 0.125f;
  o.act_fn = ActivationKind::gelu;
  o.attention_head_dim = 4;
  o.attn_norm_num_groups = 2;
  o.norm_eps = 0.25f;
  o.add_attention = false;
  const std::string text = ddpm_unet_to_json(o);
  EXPECT_EQ(ddpm_unet_to_json(ddpm_unet_from_json(text, "c")), text);
  const std::string defaults = ddpm_unet_to_json({});
  for (const char* key :
       {"\"sample_size\": 28", "\"in_channels\": 1", "\"freq_shift\": 0.5",
        "\"downsample_padding\": 0", "\"dropout\": 0.125", "\"act_fn\": \"gelu\"",
        "\"attention_head_dim\": 4", "\"attn_norm_num_groups\": 2", "\"norm_eps\": 0.25",
        "\"add_attention\": false", "\"center_input_sample\": true", "\"AttnDownBlock2D\""})
    EXPECT_THAT(text, HasSubstr(key));
  EXPECT_THAT(defaults, HasSubstr("\"sample_size\": null"));
}

TEST(DdpmUnetJson, tells_an_absent_head_width_from_null) {
  EXPECT_EQ(ddpm_unet_from_json("{}", "c").attention_head_dim, 8);
  EXPECT_EQ(ddpm_unet_from_json(R"({"attention_head_dim": null})", "c").attention_head_dim,
            std::nullopt);
}

TEST(DdpmUnetJson, refuses_what_it_would_have_to_guess) {
  const auto refusal = [](const char* text, ErrorCode code = ErrorCode::bad_argument) {
    return error_text([&] { ddpm_unet_from_json(text, "config.json"); }, code);
  };
  EXPECT_EQ(refusal("[1]"), "config.json: not a JSON object");
  EXPECT_EQ(refusal("{"), "config.json: not a JSON object");
  EXPECT_EQ(refusal(R"({"in_channels": "3"})"),
            "config.json: 'in_channels' is \"3\"; give a whole number from 0 to 1048576");
  EXPECT_EQ(refusal(R"({"in_channels": -1})"),
            "config.json: 'in_channels' is -1; give a whole number from 0 to 1048576");
  EXPECT_EQ(refusal(R"({"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]})"),
            "config.json: 'down_block_types' is [\"DownBlock2D\",\"SkipDownBlock2D\"]; give a list "
            "of DownBlock2D and AttnDownBlock2D");
  EXPECT_EQ(refusal(R"({"act_fn": "mish"})"),
            "config.json: 'act_fn' is \"mish\"; give one of silu, swish, gelu, relu");
  EXPECT_EQ(refusal(R"({"resnet_time_scale_shift": "scale_shift"})", ErrorCode::unsupported),
            "config.json: 'resnet_time_scale_shift' is \"scale_shift\"; only \"default\" is built "
            "here");
  EXPECT_EQ(refusal(R"({"norm_groups": 3})"),
            "config.json: a U-Net has no option 'norm_groups'; did you mean "
            "'norm_num_groups' or 'norm_eps'?");
}

}  // namespace ddpm_unet_test
}  // namespace unmar::test
