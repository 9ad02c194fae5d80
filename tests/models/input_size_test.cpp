// Which size networks take their input in, and what they say of pictures that are too small.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <regex>

#include "error_text.h"
#include "unmar/models/models.h"

namespace unmar::test {
namespace input_size_test {

using testing::HasSubstr;

/// Over z of the size that network_input_size() says; returns the size of the output.
Size written(const Shape& image, const NetworkOptions& options) {
  const Size size = network_input_size(image, options);
  Graph graph;
  const NodeId z = graph.add(Input{{1, 4, size.h, size.w}}, {}, "z");
  const Shape& out = graph.shape(write_network(graph, z, image, options));
  EXPECT_EQ(out.c, image.c);
  EXPECT_EQ(out.n, 1);
  return {out.h, out.w};
}

Shape picture(int h, int w) { return {1, 3, h, w}; }

void expect_covered(const Shape& image, const NetworkOptions& options) {
  Size out;
  ASSERT_NO_THROW(out = written(image, options)) << image.h << "x" << image.w;
  EXPECT_GE(out.h, image.h) << image.h << "x" << image.w;
  EXPECT_GE(out.w, image.w) << image.h << "x" << image.w;
}

constexpr int kSides[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 47};

void expect_all_sizes_covered(const NetworkOptions& options) {
  for (const int h : kSides)
    for (const int w : kSides) expect_covered(picture(h, w), options);
}

TEST(NetworkInputSize, every_network_covers_an_odd_picture) {
  for (const std::string& name : network_names()) {
    SCOPED_TRACE(name);
    expect_covered(picture(33, 47), default_network(name));
  }
}

TEST(NetworkInputSize, every_network_but_unet_covers_pictures_down_to_1x1) {
  for (const std::string& name : network_names()) {
    SCOPED_TRACE(name);
    if (name != "unet") expect_all_sizes_covered(default_network(name));
  }
}

TEST(NetworkInputSize, networks_at_full_size_keep_it) {
  for (const char* name : {"skip", "unet", "resnet", "plain"}) {
    const NetworkOptions options = default_network(name);
    EXPECT_EQ(network_input_size(picture(133, 147), options), (Size{133, 147})) << name;
    EXPECT_EQ(written(picture(133, 147), options), (Size{133, 147})) << name;
  }
}

constexpr DownsampleMode kDownsampleModes[] = {
    DownsampleMode::stride,   DownsampleMode::max,      DownsampleMode::average,
    DownsampleMode::area,     DownsampleMode::bilinear, DownsampleMode::lanczos2,
    DownsampleMode::lanczos3,
};

TEST(NetworkInputSize, skip_covers_all_sizes_with_every_way_down_and_every_skip_mode) {
  for (const DownsampleMode down : kDownsampleModes)
    for (const SkipMode mode : {SkipMode::concat, SkipMode::add, SkipMode::none})
      for (const Border border : {Border::zero, Border::reflect})
        for (const std::vector<int>& skip : {std::vector{4, 4, 4}, std::vector{4, 0, 4}}) {
          SCOPED_TRACE(testing::Message() << "down " << static_cast<int>(down) << " mode "
                                          << static_cast<int>(mode) << " skips " << skip[1]);
          expect_all_sizes_covered(SkipOptions{.down = {4, 4, 4},
                                               .up = {4, 4, 4},
                                               .skip = skip,
                                               .kernel_down = {5, 3, 7},
                                               .border = border,
                                               .downsample = down,
                                               .skip_mode = mode});
        }
}

TEST(NetworkInputSize, skip_goes_to_multiples_where_a_scale_has_no_skip) {
  SkipOptions options;
  EXPECT_EQ(network_input_size(picture(65, 96), options), (Size{65, 96}));
  options.downsample = DownsampleMode::max;
  EXPECT_EQ(network_input_size(picture(65, 96), options), (Size{96, 96}));
  options.downsample = DownsampleMode::area;
  EXPECT_EQ(network_input_size(picture(65, 96), options), (Size{65, 96}));
  options.skip_mode = SkipMode::none;
  EXPECT_EQ(network_input_size(picture(65, 96), options), (Size{96, 96}));
}

TEST(NetworkInputSize, unet_names_the_depth_that_fits_and_that_depth_works) {
  const std::regex named(R"(too small for depth 12; use depth (\d+) or less)");
  for (const DownsampleMode down : kDownsampleModes)
    for (const Border border : {Border::zero, Border::reflect})
      for (const int h : kSides)
        for (const int w : kSides) {
          SCOPED_TRACE(testing::Message() << h << "x" << w << " down " << static_cast<int>(down)
                                          << " border " << static_cast<int>(border));
          UnetOptions options{.hidden_size = 2, .depth = 12, .downsample = down, .border = border};
          const std::string text = error_text([&] { network_input_size(picture(h, w), options); });
          std::smatch match;
          if (!std::regex_search(text, match, named)) {
            EXPECT_THAT(text, HasSubstr("use another network"));
            options.depth = 1;
            EXPECT_THAT(error_text([&] { network_input_size(picture(h, w), options); }),
                        HasSubstr("use another network"));
            continue;
          }
          options.depth = std::stoi(match[1]);
          EXPECT_EQ(written(picture(h, w), options), (Size{h, w}));
          ++options.depth;
          EXPECT_THAT(error_text([&] { network_input_size(picture(h, w), options); }),
                      HasSubstr("too small for depth"));
        }
}

TEST(NetworkInputSize, unet_tells_a_small_picture_by_its_size) {
  EXPECT_EQ(error_text([] { network_input_size(picture(15, 40), UnetOptions{}); }),
            "unet network: a picture of 40x15 is too small for depth 4; use depth 3 or less");
  EXPECT_EQ(error_text([] { network_input_size(picture(1, 1), UnetOptions{}); }),
            "unet network: a picture of 1x1 is too small for depth 4; use another network");
}

TEST(NetworkInputSize, decoder_halves_for_each_layer_and_rounds_up) {
  for (int layers = 1; layers <= 6; ++layers)
    for (const int side : kSides) {
      const int part = 1 << layers;
      EXPECT_EQ(network_input_size(picture(side, 64), DecoderOptions{.layers = layers}),
                (Size{(side + part - 1) / part, 64 / part}))
          << side << " in " << layers;
    }
}

TEST(NetworkInputSize, decoder_covers_all_sizes_with_every_way_up) {
  for (const UpsampleMode up :
       {UpsampleMode::nearest, UpsampleMode::bilinear, UpsampleMode::bicubic,
        UpsampleMode::transposed, UpsampleMode::pixel_shuffle})
    expect_all_sizes_covered(DecoderOptions{.layers = 3, .channels = 4, .upsample = up});
}

TEST(NetworkInputSize, convdecoder_makes_the_shorter_side_input_size_and_keeps_the_aspect) {
  const ConvDecoderOptions options;
  EXPECT_EQ(network_input_size(picture(64, 64), options), (Size{8, 8}));
  EXPECT_EQ(network_input_size(picture(64, 128), options), (Size{8, 16}));
  EXPECT_EQ(network_input_size(picture(300, 100), options), (Size{24, 8}));
  EXPECT_EQ(network_input_size(picture(33, 47), options), (Size{8, 11}));
  EXPECT_EQ(network_input_size(picture(5, 47), options), (Size{5, 47})) << "smaller than that";
}

TEST(NetworkInputSize, convdecoder_ends_at_the_size_of_the_picture) {
  for (const int layers : {1, 2, 6})
    for (const int h : kSides)
      for (const int w : kSides)
        EXPECT_EQ(written(picture(h, w), ConvDecoderOptions{.layers = layers, .channels = 4}),
                  (Size{h, w}))
            << layers;
}

TEST(NetworkInputSize, convdecoder_refuses_learned_up_sampling) {
  for (const UpsampleMode up : {UpsampleMode::transposed, UpsampleMode::pixel_shuffle})
    EXPECT_THAT(error_text([&] { written(picture(33, 47), ConvDecoderOptions{.upsample = up}); }),
                HasSubstr("only nearest, bilinear and bicubic"));
}

TEST(NetworkInputSize, networks_that_reflect_cover_pictures_smaller_than_their_kernel) {
  expect_all_sizes_covered(PlainOptions{.layers = 2, .channels = 4, .kernel = 7});
  expect_all_sizes_covered(ResnetOptions{.blocks = 1, .channels = 4});
  expect_all_sizes_covered(
      ConvDecoderOptions{.layers = 2, .channels = 4, .border = Border::reflect});
}

TEST(NetworkInputSize, a_network_without_layers_is_refused_with_its_name) {
  const Shape image = picture(33, 47);
  EXPECT_EQ(error_text([&] { written(image, DecoderOptions{.layers = 0}); }),
            "decoder network: 'layers' must be at least 1, got 0");
  EXPECT_EQ(error_text([&] { written(image, UnetOptions{.depth = 0}); }),
            "unet network: 'depth' must be at least 1, got 0");
  EXPECT_EQ(error_text([&] { written(image, ConvDecoderOptions{.input_size = 0}); }),
            "convdecoder network: 'input_size' must be at least 1, got 0");
  EXPECT_THAT(error_text([&] { written(image, SkipOptions{.down = {}}); }), HasSubstr("'down'"));
  EXPECT_THAT(error_text([&] { written(image, SkipOptions{.up = {8}}); }),
              HasSubstr("'up' has 1 entries but 'down' has 5"));
}

TEST(NetworkInputSize, more_halvings_than_a_size_can_have_are_refused) {
  const Shape image = picture(33, 47);
  EXPECT_THAT(error_text([&] { network_input_size(image, DecoderOptions{.layers = 40}); }),
              HasSubstr("decoder network: 'layers' must be at most 16, got 40"));
  const std::vector<int> many(40, 4);
  EXPECT_THAT(error_text([&] {
                network_input_size(image, SkipOptions{.down = many, .up = many, .skip = many});
              }),
              HasSubstr("skip network: 'down' has 40 entries; there can be 16 scales"));
}

TEST(NetworkInputSize, unet_checks_the_channels_it_was_told) {
  EXPECT_EQ(error_text([] { written(picture(33, 47), UnetOptions{.input_channels = 5}); }),
            "unet network: 'input_channels' is 5 but there are 4; leave it at 0");
  EXPECT_EQ(error_text([] { written(picture(33, 47), UnetOptions{.output_channels = 1}); }),
            "unet network: 'output_channels' is 1 but there are 3; leave it at 0");
  EXPECT_THAT(error_text([] { written(picture(33, 47), UnetOptions{.hidden_size = 7}); }),
              HasSubstr("'hidden_size' 7 cannot be halved"));
  EXPECT_EQ(written(picture(33, 47), UnetOptions{.hidden_size = 7, .bilinear = false}),
            (Size{33, 47}));
}

}  // namespace input_size_test
}  // namespace unmar::test
