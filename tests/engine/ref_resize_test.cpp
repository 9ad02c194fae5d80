#include "engine/hand.h"

namespace unmar::test {
namespace ref_resize_test {

using ::testing::Each;
using ::testing::ElementsAre;

const Tensor kNine = tensor({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

TEST(RefPool, drops_the_rest_at_the_lower_right_edge) {
  EXPECT_THAT(Hand(MaxPool{2}, {kNine}).dst(), ElementsAre(5));
  EXPECT_THAT(Hand(Linear::average_pool(kNine.shape(), 2), {kNine}).dst(), ElementsAre(3));
}

TEST(RefPool, max_takes_the_largest_of_negative_values_too) {
  const Hand op(MaxPool{2}, {tensor({1, 1, 2, 2}, {-4, -3, -9, -7})});
  EXPECT_THAT(op.dst(), ElementsAre(-3));
}

TEST(RefPool, max_sends_the_gradient_to_the_largest_and_of_equals_to_the_first) {
  Hand op(MaxPool{2}, {tensor({1, 2, 2, 2}, {0, 7, 7, 1, 2, 2, 2, 2})});
  op.backward({5, 6});
  EXPECT_THAT(op.d_src(), ElementsAre(0, 5, 0, 0, 6, 0, 0, 0));
}

TEST(RefPool, average_spreads_the_gradient_evenly) {
  Hand op(Linear::average_pool(kNine.shape(), 2), {kNine});
  op.backward({4});
  EXPECT_THAT(op.d_src(), ElementsAre(1, 1, 0, 1, 1, 0, 0, 0, 0));
}

TEST(RefResize, nearest_repeats_pixels) {
  Hand op(Linear::enlarge({1, 1, 1, 2}, 2, ResizeKind::nearest), {tensor({1, 1, 1, 2}, {1, 2})});
  EXPECT_THAT(op.dst(), ElementsAre(1, 1, 2, 2, 1, 1, 2, 2));
  op.backward({1, 2, 3, 4, 10, 20, 30, 40});
  EXPECT_THAT(op.d_src(), ElementsAre(33, 77));
}

TEST(RefResize, bilinear_blends_between_pixel_centres_and_repeats_the_edge) {
  Hand op(Linear::enlarge({1, 1, 1, 2}, 2), {tensor({1, 1, 1, 2}, {0, 4})});
  EXPECT_THAT(op.dst(), ElementsAre(0, 1, 3, 4, 0, 1, 3, 4));
  op.backward({4, 4, 4, 4, 0, 0, 0, 8});
  EXPECT_THAT(op.d_src(), ElementsAre(4 + 3 + 1, 1 + 3 + 4 + 8));
}

TEST(RefResize, bilinear_works_along_rows_and_columns) {
  const Hand op(Linear::enlarge({1, 1, 2, 2}, 2), {tensor({1, 1, 2, 2}, {0, 16, 32, 48})});
  EXPECT_THAT(op.dst(), ElementsAre(0, 4, 12, 16,    //
                                    8, 12, 20, 24,   //
                                    24, 28, 36, 40,  //
                                    32, 36, 44, 48));
}

TEST(RefResize, align_corners_puts_the_corner_pixels_on_top_of_each_other) {
  Hand op(Linear::enlarge({1, 1, 2, 1}, 2, ResizeKind::bilinear, true),
          {tensor({1, 1, 2, 1}, {0, 3})});
  EXPECT_THAT(op.dst(), ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  op.backward({3, 0, 3, 0, 0, 0, 0, 3});
  EXPECT_THAT(op.d_src(), ElementsAre(3 + 2, 1 + 3));
}

TEST(RefResize, a_single_pixel_becomes_a_flat_block) {
  for (const bool align : {false, true})
    EXPECT_THAT(Hand(Linear::enlarge({1, 1, 1, 1}, 3, ResizeKind::bilinear, align),
                     {tensor({1, 1, 1, 1}, {7})})
                    .dst(),
                Each(7.f));
}

TEST(RefResize, nearest_copies_blocks_as_in_the_textbook) {
  const Hand op(Linear::enlarge({1, 1, 2, 2}, 2, ResizeKind::nearest),
                {tensor({1, 1, 2, 2}, {1, 2, 3, 4})});
  EXPECT_THAT(op.dst(), ElementsAre(1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4));
}

TEST(RefResize, area_is_the_mean_of_what_a_pixel_touches) {
  const Hand op(Linear::resize({1, 1, 1, 3}, ResizeKind::area, 1, 2),
                {tensor({1, 1, 1, 3}, {1, 3, 8})});
  EXPECT_THAT(op.dst(), ElementsAre(2, 5.5));
}

TEST(RefResize, reducing_widens_the_bilinear_kernel) {
  const Hand op(Linear::resize({1, 1, 1, 4}, ResizeKind::bilinear, 1, 2),
                {tensor({1, 1, 1, 4}, {0, 7, 0, 0})});
  EXPECT_THAT(op.dst(), ElementsAre(3, 1));  // 3/7 and 1/7 of it
}

TEST(RefResize, bicubic_keeps_a_ramp_away_from_the_edge) {
  const Hand op(Linear::resize({1, 1, 1, 6}, ResizeKind::bicubic, 1, 12),
                {tensor({1, 1, 1, 6}, {0, 4, 8, 12, 16, 20})});
  for (std::size_t i = 4; i < 8; ++i) EXPECT_FLOAT_EQ(op.dst()[i], 2.f * static_cast<float>(i) - 1);
}

TEST(RefPool, max_picks_the_largest_as_in_the_textbook) {
  const Hand op(MaxPool{2},
                {tensor({1, 1, 4, 4}, {1, 2, 5, 6, 4, 5, 8, 7, 9, 2, 3, 1, 3, 9, 7, 0})});
  EXPECT_THAT(op.dst(), ElementsAre(5, 8, 9, 7));
}

TEST(RefPixelShuffle, puts_the_channels_of_a_pixel_into_a_block) {
  Hand op(PixelShuffle{2}, {tensor({1, 4, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8})});
  EXPECT_THAT(op.dst(), ElementsAre(1, 3, 2, 4, 5, 7, 6, 8));
  op.backward({1, 3, 2, 4, 5, 7, 6, 8});
  EXPECT_THAT(op.d_src(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST(RefPad, puts_zeros_around) {
  Hand op(Linear::pad({1, 1, 1, 1}, 2, 4), {tensor({1, 1, 1, 1}, {5})});
  EXPECT_THAT(op.dst(), ElementsAre(0, 5, 0, 0, 0, 0, 0, 0));
  op.backward({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(op.d_src(), ElementsAre(2));
}

TEST(RefReduce, box_is_the_mean_of_each_block) {
  Hand op(Linear::reduce({1, 1, 4, 5}, ReduceKernel::box, 2), {counted({1, 1, 4, 5})});
  EXPECT_EQ(op.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_THAT(op.dst(), ElementsAre(3, 5, 13, 15));
  op.backward({4, 8, 12, 16});
  EXPECT_THAT(op.d_src(), ElementsAre(1, 1, 2, 2, 0,  //
                                      1, 1, 2, 2, 0,  //
                                      3, 3, 4, 4, 0,  //
                                      3, 3, 4, 4, 0));
}

/// Four rows that are 256 in one column: the taps of bicubic at factor 2 are 256ths.
Tensor line(int column) {
  Tensor t({1, 1, 4, 4});
  for (int y = 0; y < 4; ++y) t.at(0, 0, y, column) = 256;
  return t;
}

TEST(RefReduce, keeps_the_half_pixel_grid) {
  const Hand op(Linear::reduce(line(2).shape(), ReduceKernel::bicubic, 2), {line(2)});
  EXPECT_THAT(op.dst(), ElementsAre(29, 111, 29, 111));
}

TEST(RefReduce, repeats_the_border) {
  const Hand op(Linear::reduce(line(3).shape(), ReduceKernel::bicubic, 2), {line(3)});
  EXPECT_THAT(op.dst(), ElementsAre(-9 - 3, 111 + 29 - 9 - 3, -12, 128));
}

TEST(RefReduce, of_a_flat_image_is_flat) {
  for (const ReduceKernel kernel : {ReduceKernel::lanczos2, ReduceKernel::lanczos3}) {
    const Hand op(Linear::reduce({1, 1, 8, 9}, kernel, 4), {Tensor({1, 1, 8, 9}, 3.f)});
    EXPECT_THAT(op.dst(), Each(::testing::FloatNear(3.f, 1e-6f)));
  }
}

TEST(RefConcat, crops_the_larger_source_about_its_centre_rounding_the_offset_down) {
  Hand op(Concat{}, {counted({1, 1, 5, 5}), tensor({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})});
  EXPECT_EQ(op.shape(), (Shape{1, 3, 2, 2}));
  EXPECT_THAT(op.dst(), ElementsAre(6, 7, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8));
  op.backward({1, 2, 3, 4, 10, 20, 30, 40, 50, 60, 70, 80});
  EXPECT_THAT(op.d_src(0), ElementsAre(0, 0, 0, 0, 0,  //
                                       0, 1, 2, 0, 0,  //
                                       0, 3, 4, 0, 0,  //
                                       0, 0, 0, 0, 0,  //
                                       0, 0, 0, 0, 0));
  EXPECT_THAT(op.d_src(1), ElementsAre(10, 20, 30, 40, 50, 60, 70, 80));
}

TEST(RefConcat, keeps_the_images_of_a_batch_apart) {
  const Hand op(Concat{}, {tensor({2, 1, 1, 1}, {1, 2}), tensor({2, 1, 1, 1}, {3, 4})});
  EXPECT_THAT(op.dst(), ElementsAre(1, 3, 2, 4));
}

TEST(RefConcat, crops_each_side_by_its_own_surplus) {
  const Hand op(Concat{}, {counted({1, 1, 3, 1}), counted({1, 1, 1, 4})});
  EXPECT_THAT(op.dst(), ElementsAre(1, 1));  // offsets 1 of 3 rows, floor(3 / 2) of 4 columns
}

TEST(RefCenterCrop, rounds_its_offset_down) {
  Hand op(Linear::center_crop({1, 1, 5, 6}, 2, 3), {counted({1, 1, 5, 6})});
  EXPECT_THAT(op.dst(), ElementsAre(7, 8, 9, 13, 14, 15));
  op.backward({1, 2, 3, 4, 5, 6});
  EXPECT_THAT(op.d_src(), ElementsAre(0, 0, 0, 0, 0, 0,  //
                                      0, 1, 2, 3, 0, 0,  //
                                      0, 4, 5, 6, 0, 0,  //
                                      0, 0, 0, 0, 0, 0,  //
                                      0, 0, 0, 0, 0, 0));
}

}  // namespace ref_resize_test
}  // namespace unmar::test
