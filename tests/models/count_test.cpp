// Numbers of parameters against those that are known or follow from the architecture.

#include <gtest/gtest.h>

#include <cstdint>

#include "unmar/models/models.h"

namespace unmar::test {
namespace count_test {

std::size_t param_count(const NetworkOptions& options, int input_channels, int output_channels) {
  const Shape image{1, output_channels, 64, 64};
  const Size size = network_input_size(image, options);
  Graph graph;
  const NodeId z = graph.add(Input{{1, input_channels, size.h, size.w}}, {}, "z");
  write_network(graph, z, image, options);
  return graph.param_count();
}

TEST(ParameterCount, of_the_standard_skip_network_is_that_of_the_paper_s_code) {
  EXPECT_EQ(param_count(SkipOptions{}, 32, 3), 2'217'831u);
}

TEST(ParameterCount, of_skip_for_text_inpainting_is_that_of_the_paper_s_code) {
  const SkipOptions options{.skip = {128, 128, 128, 128, 128}, .upsample = {UpsampleMode::nearest}};
  EXPECT_EQ(param_count(options, 32, 3), 3'002'627u);
}

/// Two 3x3 convolutions without bias, each with gamma and beta.
std::size_t double_conv(std::size_t in, std::size_t middle, std::size_t out) {
  return 9 * in * middle + 2 * middle + 9 * middle * out + 2 * out;
}

/// The U-Net as it is written in PyTorch nowadays, 64 channels at full size, 1024 at the bottom, 3
/// in and 1 out. Transposed convolutions of 2x2 halve the channels, with a bias; bilinear leaves
/// them, so that the bottom has half of them and each DoubleConv of the decoder halves them.
std::size_t unet_count(bool bilinear) {
  std::size_t sum = double_conv(3, 64, 64);
  for (const std::size_t width : {128u, 256u, 512u}) sum += double_conv(width / 2, width, width);
  sum += bilinear ? double_conv(512, 512, 512) : double_conv(512, 1024, 1024);
  for (const std::size_t width : {512u, 256u, 128u, 64u}) {
    if (!bilinear) sum += 2 * width * width * 4 + width;  // the transposed convolution
    // Joined, it is 2 * width channels either way.
    sum += double_conv(2 * width, width, bilinear && width > 64 ? width / 2 : width);
  }
  return sum + 64 + 1;  // head
}

TEST(ParameterCount, of_the_bilinear_unet_follows_from_its_architecture) {
  EXPECT_EQ(unet_count(true), 17'262'977u);  // known from the usual PyTorch U-Net
  EXPECT_EQ(param_count(UnetOptions{}, 3, 1), unet_count(true));
}

TEST(ParameterCount, of_the_unet_with_transposed_convolutions_follows_from_its_architecture) {
  EXPECT_EQ(unet_count(false), 31'037'633u);  // known from the usual PyTorch U-Net
  EXPECT_EQ(param_count(UnetOptions{.bilinear = false}, 3, 1), unet_count(false));
}

TEST(ParameterCount, of_the_deep_decoder_follows_from_its_architecture) {
  // Six 1x1 convolutions of 128 to 128 channels without bias, norms, and a head with bias.
  EXPECT_EQ(param_count(DecoderOptions{}, 128, 3), 6u * (128 * 128 + 2 * 128) + 128 * 3 + 3);
}

TEST(ParameterCount, of_resizing_does_not_depend_on_how) {
  const auto count = [](DownsampleMode down, UpsampleMode up) {
    return param_count(UnetOptions{.upsample = up, .downsample = down}, 3, 3);
  };
  const std::size_t expected = count(DownsampleMode::max, UpsampleMode::bilinear);
  for (const auto down : {DownsampleMode::stride, DownsampleMode::average, DownsampleMode::area,
                          DownsampleMode::bilinear, DownsampleMode::lanczos2})
    EXPECT_EQ(count(down, UpsampleMode::nearest), expected);
  EXPECT_EQ(count(DownsampleMode::max, UpsampleMode::bicubic), expected);
}

}  // namespace count_test
}  // namespace unmar::test
