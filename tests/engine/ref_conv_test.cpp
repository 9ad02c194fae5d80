#include "engine/hand.h"

namespace unmar::test {
namespace ref_conv_test {

using ::testing::ElementsAre;

/// A kernel that picks the pixel under its upper left corner.
Tensor upper_left(int kernel) {
  Tensor weight({1, 1, kernel, kernel});
  weight.at(0, 0, 0, 0) = 1;
  return weight;
}

Conv2d plain(int kernel, int stride, Border border) { return {1, kernel, stride, border, false}; }

const Tensor kNine = tensor({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

TEST(RefConv, does_not_flip_its_kernel_and_sees_zeros_outside) {
  const Hand op(plain(3, 1, Border::zero), {kNine}, {upper_left(3)});
  EXPECT_THAT(op.dst(), ElementsAre(0, 0, 0, 0, 1, 2, 0, 4, 5));
}

TEST(RefConv, reflects_without_repeating_the_edge_pixel) {
  const Hand op(plain(3, 1, Border::reflect), {kNine}, {upper_left(3)});
  EXPECT_THAT(op.dst(), ElementsAre(5, 4, 5, 2, 1, 2, 5, 4, 5));
}

TEST(RefConv, reflects_by_two_up_to_the_far_edge) {
  const Hand op(plain(5, 1, Border::reflect), {kNine}, {upper_left(5)});
  EXPECT_THAT(op.dst(), ElementsAre(9, 8, 7, 6, 5, 4, 3, 2, 1));
}

TEST(RefConv, reflects_at_the_lower_right_edge_too) {
  Tensor lower_right({1, 1, 3, 3});
  lower_right.at(0, 0, 2, 2) = 1;
  const Hand op(plain(3, 1, Border::reflect), {kNine}, {lower_right});
  EXPECT_THAT(op.dst(), ElementsAre(5, 6, 5, 8, 9, 8, 5, 6, 5));
}

TEST(RefConv, backward_folds_the_border_back_onto_its_mirror_pixels) {
  Hand op(plain(3, 1, Border::reflect), {kNine}, {upper_left(3)});
  op.backward({1, 1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_THAT(op.d_src(), ElementsAre(1, 2, 0, 2, 4, 0, 0, 0, 0));
}

TEST(RefConv, backward_drops_what_fell_on_the_zero_border) {
  Hand op(plain(3, 1, Border::zero), {kNine}, {upper_left(3)});
  op.backward({1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_THAT(op.d_src(), ElementsAre(5, 6, 0, 8, 9, 0, 0, 0, 0));
}

TEST(RefConv, strides_from_the_first_pixel_on_odd_and_even_sides) {
  const Hand op(plain(1, 2, Border::zero), {counted({1, 1, 5, 4})}, {upper_left(1)});
  EXPECT_EQ(op.shape(), (Shape{1, 1, 3, 2}));
  EXPECT_THAT(op.dst(), ElementsAre(0, 2, 8, 10, 16, 18));
}

TEST(RefConv, at_stride_2_the_kernel_is_centred_on_even_pixels) {
  const Tensor ones({1, 1, 3, 3}, 1.f);
  const Hand op(plain(3, 2, Border::zero), {kNine}, {ones});
  EXPECT_THAT(op.dst(), ElementsAre(1 + 2 + 4 + 5, 2 + 3 + 5 + 6, 4 + 5 + 7 + 8, 5 + 6 + 8 + 9));
}

TEST(RefConv, sums_source_channels_and_adds_the_bias_for_each_image_of_the_batch) {
  Hand op(Conv2d{2, 1}, {tensor({2, 2, 1, 1}, {1, 2, 3, 4})},
          {tensor({2, 2, 1, 1}, {10, 1, 0, -1}), tensor({1, 2, 1, 1}, {100, 200})});
  EXPECT_THAT(op.dst(), ElementsAre(112, 198, 134, 196));
  op.backward({1, 2, 3, 4});
  EXPECT_THAT(op.d_src(), ElementsAre(10, -1, 30, -1));
  EXPECT_THAT(op.d_param(0), ElementsAre(1 + 3 * 3, 2 + 3 * 4, 2 + 4 * 3, 2 * 2 + 4 * 4));
  EXPECT_THAT(op.d_param(1), ElementsAre(4, 6));
}

TEST(RefConv, weight_gradient_pairs_each_tap_with_the_pixels_it_saw) {
  Hand op(plain(3, 1, Border::zero), {kNine}, {upper_left(3)});
  op.backward({0, 0, 0, 0, 1, 0, 0, 0, 0});  // the middle saw all nine
  EXPECT_THAT(op.d_param(0), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

// The quirk of the published diffusion networks: a zero below and to the right, none above.
TEST(RefConv, pad_end_starts_at_the_first_pixel) {
  const Tensor ones({1, 1, 3, 3}, 1.f), sixteen = counted({1, 1, 4, 4});
  Conv2d op = plain(3, 2, Border::zero);
  op.pad_end = true;
  EXPECT_THAT(
      Hand(op, {sixteen}, {ones}).dst(),
      ElementsAre(45, 2 + 3 + 6 + 7 + 10 + 11, 8 + 9 + 10 + 12 + 13 + 14, 10 + 11 + 14 + 15));
  EXPECT_THAT(Hand(op, {kNine}, {ones}).dst(), ElementsAre(45));
}

}  // namespace ref_conv_test
}  // namespace unmar::test
