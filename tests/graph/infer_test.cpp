#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "unmar/graph/graph.h"

namespace unmar {
namespace {

Shape infer(const Op& op, const std::vector<Shape>& src) { return infer_shape(op, src, "op 'a'"); }

std::string refusal(void (*make)()) { return test::error_text(make); }
std::string refusal(const Op& op, const std::vector<Shape>& src) {
  return test::error_text([&] { infer(op, src); });
}

constexpr Shape kSrc{2, 3, 7, 5};

TEST(InferShape, conv_keeps_the_size_at_stride_1_whatever_the_kernel) {
  for (const int kernel : {1, 3, 5, 11})
    EXPECT_EQ(infer(Conv2d{24, kernel}, {kSrc}), (Shape{2, 24, 7, 5})) << kernel;
}

TEST(InferShape, conv_rounds_the_size_up_when_it_strides) {
  EXPECT_EQ(infer(Conv2d{4, 3, 2}, {kSrc}), (Shape{2, 4, 4, 3}));
  EXPECT_EQ(infer(Conv2d{4, 3, 2}, {{1, 3, 8, 6}}), (Shape{1, 4, 4, 3}));
  EXPECT_EQ(infer(Conv2d{4, 1, 3}, {kSrc}), (Shape{2, 4, 3, 2}));
  EXPECT_EQ(infer(Conv2d{4, 3, 2}, {{1, 3, 1, 1}}), (Shape{1, 4, 1, 1}));
}

TEST(InferShape, conv_refuses_what_has_no_meaning) {
  EXPECT_EQ(refusal(Conv2d{0}, {kSrc}), "op 'a': out_c must be at least 1, got 0");
  EXPECT_EQ(refusal(Conv2d{4, 4}, {kSrc}), "op 'a': kernel must be odd unless pad_end, got 4");
  EXPECT_EQ(refusal(Conv2d{4, -1}, {kSrc}), "op 'a': kernel must be odd unless pad_end, got -1");
  EXPECT_EQ(refusal(Conv2d{4, 3, 0}, {kSrc}), "op 'a': stride must be at least 1, got 0");
  EXPECT_EQ(refusal(Conv2d{4}, {}), "op 'a': takes 1 sources, got 0");
}

TEST(InferShape, conv_reflects_by_less_than_the_source_only) {
  EXPECT_EQ(infer(Conv2d{4, 3, 1, Border::reflect}, {{1, 3, 2, 2}}), (Shape{1, 4, 2, 2}));
  EXPECT_EQ(infer(Conv2d{4, 1, 1, Border::reflect}, {{1, 3, 1, 1}}), (Shape{1, 4, 1, 1}));
  EXPECT_EQ(refusal(Conv2d{4, 5, 1, Border::reflect}, {{1, 3, 9, 2}}),
            "op 'a': reflection by 2 needs a source larger than that, got 2x9");
  EXPECT_EQ(refusal(Conv2d{4, 3, 1, Border::reflect}, {{1, 3, 1, 9}}),
            "op 'a': reflection by 1 needs a source larger than that, got 9x1");
}

TEST(InferShape, pool_and_reduce_drop_the_rest) {
  EXPECT_EQ(infer(MaxPool{2}, {kSrc}), (Shape{2, 3, 3, 2}));
  EXPECT_EQ(infer(Linear::average_pool(kSrc, 5), {kSrc}), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(infer(Linear::reduce(kSrc, ReduceKernel::box, 3), {kSrc}), (Shape{2, 3, 2, 1}));
  EXPECT_EQ(refusal(MaxPool{6}, {kSrc}), "op 'a': cannot reduce 5x7 by 6");
  EXPECT_EQ(refusal(+[] { Linear::average_pool(kSrc, 6); }),
            "average_pool: cannot reduce 5x7 by 6");
  EXPECT_EQ(refusal(+[] { Linear::reduce(kSrc, ReduceKernel::box, 0); }),
            "reduce: factor must be at least 1, got 0");
}

TEST(InferShape, resize_gives_the_wanted_size) {
  EXPECT_EQ(infer(Linear::resize(kSrc, ResizeKind::nearest, 21, 15), {kSrc}),
            (Shape{2, 3, 21, 15}));
  EXPECT_EQ(refusal(+[] { Linear::resize(kSrc, ResizeKind::nearest, 0, 0); }),
            "resize: cannot resize to 0x0");
  EXPECT_EQ(refusal(+[] { Linear::enlarge(kSrc, 1 << 30); }),
            "resize: 5x7 times 1073741824 is more than can be counted");
}

/// The map of n rows that copies.
std::shared_ptr<LinearMap> copying(int n) { return std::make_shared<LinearMap>(crop_map(n, n)); }

TEST(InferShape, linear_refuses_maps_that_do_not_fit_or_reach_beyond_the_source) {
  EXPECT_EQ(infer(Linear{copying(7), copying(5)}, {kSrc}), kSrc);
  EXPECT_EQ(refusal(Linear{copying(6), copying(5)}, {kSrc}),
            "op 'a': maps 6 rows, its source has 7");
  EXPECT_EQ(refusal(Linear{copying(7), nullptr}, {kSrc}), "op 'a': has no map of its columns");
  auto map = copying(7);
  map->index[3] = 7;
  EXPECT_EQ(refusal(Linear{map, copying(5)}, {kSrc}), "op 'a': maps rows 7 of 7");
  map = copying(7);
  map->begin[3] = 9;
  EXPECT_EQ(refusal(Linear{map, copying(5)}, {kSrc}),
            "op 'a': the map of its rows is not a sparse matrix");
  map = copying(7);
  map->weight.pop_back();
  EXPECT_EQ(refusal(Linear{map, copying(5)}, {kSrc}),
            "op 'a': the map of its rows is not a sparse matrix");
  map = copying(7);
  map->weight[0] = std::nanf("");
  EXPECT_EQ(refusal(Linear{map, copying(5)}, {kSrc}), "op 'a': weights must be finite, got nan");
}

TEST(InferShape, concat_adds_channels_and_takes_the_smallest_of_each_side) {
  EXPECT_EQ(infer(Concat{}, {{1, 3, 8, 5}, {1, 4, 7, 6}, {1, 1, 9, 9}}), (Shape{1, 8, 7, 5}));
  EXPECT_EQ(infer(Concat{}, {kSrc}), kSrc);
  EXPECT_EQ(refusal(Concat{}, {}), "op 'a': takes at least one source");
  EXPECT_EQ(refusal(Concat{}, {{1, 3, 7, 5}, kSrc}), "op 'a': batch sizes differ: 1 and 2");
}

TEST(InferShape, center_crop_cannot_grow_and_pad_cannot_shrink) {
  EXPECT_EQ(infer(Linear::center_crop(kSrc, 4, 5), {kSrc}), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(infer(Linear::pad(kSrc, 7, 9), {kSrc}), (Shape{2, 3, 7, 9}));
  EXPECT_EQ(refusal(+[] { Linear::center_crop(kSrc, 8, 5); }),
            "center_crop: cannot crop 5x7 to 5x8");
  EXPECT_EQ(refusal(+[] { Linear::center_crop(kSrc, 7, 6); }),
            "center_crop: cannot crop 5x7 to 6x7");
  EXPECT_EQ(refusal(+[] { Linear::center_crop(kSrc, 0, 5); }),
            "center_crop: cannot crop 5x7 to 5x0");
  EXPECT_EQ(refusal(+[] { Linear::pad(kSrc, 6, 5); }), "pad: cannot pad 5x7 to 5x6");
}

TEST(InferShape, pointwise_ops_keep_the_shape) {
  for (const Op& op : {Op(Jitter{}), Op(Norm{}), Op(Activation{})}) {
    EXPECT_EQ(infer(op, {kSrc}), kSrc) << op_name(op);
    EXPECT_EQ(refusal(op, {kSrc, kSrc}), "op 'a': takes 1 sources, got 2") << op_name(op);
  }
}

TEST(InferShape, multiply_spreads_one_channel_but_nothing_else) {
  EXPECT_EQ(infer(Multiply{}, {kSrc, kSrc}), kSrc);
  EXPECT_EQ(infer(Multiply{}, {kSrc, {2, 1, 7, 5}}), kSrc);
  const std::string must = "op 'a': second source must have the first's shape or one channel: ";
  EXPECT_EQ(refusal(Multiply{}, {kSrc, {2, 2, 7, 5}}), must + "[2,3,7,5] and [2,2,7,5]");
  EXPECT_EQ(refusal(Multiply{}, {{2, 1, 7, 5}, kSrc}), must + "[2,1,7,5] and [2,3,7,5]");
  EXPECT_EQ(refusal(Multiply{}, {kSrc, {1, 3, 7, 5}}), must + "[2,3,7,5] and [1,3,7,5]");
  EXPECT_EQ(refusal(Multiply{}, {kSrc}), "op 'a': takes 2 sources, got 1");
}

TEST(InferShape, losses_are_scalars_of_equal_shapes) {
  for (const Op& op : {Op(Mse{}), Op(L1{})}) {
    EXPECT_EQ(infer(op, {kSrc, kSrc}), Shape{}) << op_name(op);
    EXPECT_EQ(refusal(op, {kSrc, {2, 3, 5, 7}}),
              "op 'a': sources differ in shape: [2,3,7,5] and [2,3,5,7]");
    EXPECT_EQ(refusal(op, {kSrc}), "op 'a': takes 2 sources, got 1") << op_name(op);
  }
}

TEST(InferShape, total_variation_needs_a_pixel_with_both_neighbours) {
  EXPECT_EQ(infer(TotalVariation{}, {{1, 1, 2, 2}}), Shape{});
  EXPECT_EQ(refusal(TotalVariation{}, {{1, 1, 1, 9}}),
            "op 'a': needs at least 2x2 pixels, got 9x1");
  EXPECT_EQ(refusal(TotalVariation{}, {{1, 1, 9, 1}}),
            "op 'a': needs at least 2x2 pixels, got 1x9");
}

TEST(InferShape, weighted_sum_takes_one_scalar_per_weight) {
  EXPECT_EQ(infer(WeightedSum{{1, 2}}, {Shape{}, Shape{}}), Shape{});
  EXPECT_EQ(refusal(WeightedSum{{1, 2}}, {Shape{}}), "op 'a': takes 2 sources, got 1");
  EXPECT_EQ(refusal(WeightedSum{{1}}, {kSrc}), "op 'a': takes scalars, got [2,3,7,5]");
}

TEST(InferShape, inputs_and_constants_have_no_sources) {
  EXPECT_EQ(infer(Input{kSrc}, {}), kSrc);
  EXPECT_EQ(refusal(Input{kSrc}, {kSrc}), "op 'a': takes 0 sources, got 1");
  EXPECT_EQ(infer(Constant{std::make_shared<Tensor>(kSrc)}, {}), kSrc);
  EXPECT_EQ(refusal(Constant{}, {}), "op 'a': has no value");
  EXPECT_EQ(refusal(Constant{std::make_shared<Tensor>()}, {}), "op 'a': has no value");
}

TEST(InferShape, a_filter_keeps_the_size_and_reflects_only_what_is_there) {
  const auto filter = [](const Shape& taps, Border border = Border::reflect) {
    return Filter{std::make_shared<Tensor>(taps, 1.f), border};
  };
  EXPECT_EQ(infer(filter({1, 1, 13, 4}), {kSrc}), kSrc);
  EXPECT_EQ(infer(filter({1, 1, 99, 99}, Border::zero), {kSrc}), kSrc);
  EXPECT_EQ(refusal(filter({1, 1, 14, 4}), {kSrc}),
            "op 'a': reflection under 4x14 taps needs a source larger than half of them, got 5x7");
  EXPECT_EQ(refusal(filter({1, 3, 3, 3}), {kSrc}), "op 'a': takes taps [1,1,h,w], got [1,3,3,3]");
  EXPECT_EQ(refusal(Filter{}, {kSrc}), "op 'a': has no taps");
  EXPECT_EQ(refusal(Filter{std::make_shared<Tensor>(Shape{}, NAN)}, {kSrc}),
            "op 'a': taps must be finite, got nan");
}

TEST(InferShape, conv_padded_at_the_end_rounds_the_size_down_when_it_strides) {
  const Conv2d op{4, 3, 2, Border::zero, true, 1, true};
  EXPECT_EQ(infer(op, {kSrc}), (Shape{2, 4, 3, 2}));
  EXPECT_EQ(infer(op, {{1, 3, 8, 6}}), (Shape{1, 4, 4, 3}));
  EXPECT_EQ(refusal(op, {{1, 3, 1, 6}}),
            "op 'a': pad_end needs a kernel and a source of stride 2 at least, got 3 and 6x1");
  EXPECT_EQ(refusal(Conv2d{4, 1, 2, Border::zero, true, 1, true}, {kSrc}),
            "op 'a': pad_end needs a kernel and a source of stride 2 at least, got 1 and 5x7");
}

TEST(InferShape, add_takes_one_pixel_for_all) {
  EXPECT_EQ(infer(Add{}, {kSrc, {2, 3, 1, 1}}), kSrc);
  for (const Shape& wrong : {Shape{1, 3, 1, 1}, Shape{2, 1, 1, 1}, Shape{2, 3, 7, 1}})
    EXPECT_EQ(refusal(Add{}, {kSrc, wrong}),
              "op 'a': second source must have the first's shape or one pixel: [2,3,7,5] and " +
                  to_string(wrong));
  EXPECT_EQ(refusal(Add{}, {kSrc}), "op 'a': takes 2 sources, got 1");
}

TEST(InferShape, time_embedding_takes_one_time_per_picture) {
  EXPECT_EQ(infer(TimeEmbedding{8}, {{5, 1, 1, 1}}), (Shape{5, 8, 1, 1}));
  EXPECT_EQ(refusal(TimeEmbedding{8}, {kSrc}), "op 'a': takes times [n,1,1,1], got [2,3,7,5]");
  EXPECT_EQ(refusal(TimeEmbedding{7}, {{5, 1, 1, 1}}),
            "op 'a': channels must be even and at least 2, got 7");
  EXPECT_EQ(refusal(TimeEmbedding{2, true, 1.f}, {{5, 1, 1, 1}}),
            "op 'a': freq_shift must be below channels / 2 = 1, got 1");
}

TEST(InferShape, attention_takes_three_equal_sources_and_heads_that_divide_the_channels) {
  EXPECT_EQ(infer(Attention{3}, {kSrc, kSrc, kSrc}), kSrc);
  EXPECT_EQ(refusal(Attention{2}, {kSrc, kSrc, kSrc}),
            "op 'a': 3 channels cannot be split into 2 equal heads");
  EXPECT_EQ(refusal(Attention{0}, {kSrc, kSrc, kSrc}),
            "op 'a': 3 channels cannot be split into 0 equal heads");
  EXPECT_EQ(refusal(Attention{1}, {kSrc, kSrc}), "op 'a': takes 3 sources, got 2");
  EXPECT_EQ(refusal(Attention{1}, {kSrc, kSrc, {2, 3, 5, 7}}),
            "op 'a': sources differ in shape: [2,3,7,5], [2,3,7,5] and [2,3,5,7]");
}

TEST(InferShape, dropout_keeps_something) {
  EXPECT_EQ(infer(Dropout{0.5f}, {kSrc}), kSrc);
  EXPECT_EQ(refusal(Dropout{1.f}, {kSrc}), "op 'a': rate must be from 0 to below 1, got 1");
  EXPECT_EQ(refusal(Dropout{-0.5f}, {kSrc}), "op 'a': rate must be from 0 to below 1, got -0.5");
}

}  // namespace
}  // namespace unmar
