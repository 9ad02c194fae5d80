#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "unmar/base/error.h"
#include "unmar/base/random.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace operators_test {

using testing::HasSubstr;

// Both sides are sums of float results, each within a few roundings of the exact value; relative to
// the sum of the terms' magnitudes that is a few times 2^-24.
constexpr double kFloatRounding = 1e-6;

Tensor drawn(const Shape& shape, const char* name) {
  Tensor t(shape);
  Random(7, name).uniform(t.values(), -1.f, 1.f);
  return t;
}

Tensor drawn_mask(const Shape& shape) {
  Tensor t(shape);
  Random(7, "mask").uniform(t.values(), -0.5f, 1.f);
  for (float& v : t.values()) v = std::max(v, 0.f);  // a third is missing, the rest has weights
  t.values().back() = 1.f;
  return t;
}

/// So that a kernel has no sum near 0.
Tensor plus_one(Tensor kernel) {
  for (float& v : kernel.values()) v += 1.f;
  return kernel;
}

/// Runs `make` and returns the text of the Error it throws.
template <class Make>
std::string error_text(Make make) {
  try {
    make();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

void expect_adjoint(const Operator& A, const Shape& x_shape) {
  SCOPED_TRACE(A.describe() + " of " + to_string(x_shape));
  const Tensor x = drawn(x_shape, "x");
  const Tensor v = drawn(A.output_shape(x_shape), "v");
  const Tensor Ax = apply(A, x);
  const Tensor Atv = apply_adjoint(A, x_shape, v);
  ASSERT_EQ(Ax.shape(), v.shape());
  ASSERT_EQ(Atv.shape(), x_shape);
  double left = 0, right = 0, magnitude = 0;
  for (std::size_t i = 0; i < v.count(); ++i) {
    const double term = static_cast<double>(Ax.data()[i]) * static_cast<double>(v.data()[i]);
    left += term;
    magnitude += std::abs(term);
  }
  for (std::size_t i = 0; i < x.count(); ++i) {
    const double term = static_cast<double>(Atv.data()[i]) * static_cast<double>(x.data()[i]);
    right += term;
    magnitude += std::abs(term);
  }
  ASSERT_GT(magnitude, 0) << "proves nothing";
  EXPECT_NEAR(left, right, kFloatRounding * magnitude);
}

const Shape kSizes[] = {{1, 1, 1, 1}, {1, 3, 7, 5}, {2, 2, 1, 9}, {1, 4, 33, 16}, {3, 1, 2, 1}};

TEST(Identity, SatisfiesAxVEqualsXAtV) {
  for (const Shape& size : kSizes) expect_adjoint(*make_identity(), size);
}

TEST(Mask, OfOneChannelSatisfiesAxVEqualsXAtV) {
  for (const Shape& size : kSizes)
    expect_adjoint(*make_mask(drawn_mask({1, 1, size.h, size.w})), size);
}

TEST(Mask, OfAllChannelsSatisfiesAxVEqualsXAtV) {
  for (const Shape& size : kSizes)
    expect_adjoint(*make_mask(drawn_mask({1, size.c, size.h, size.w})), size);
}

TEST(Masked, SatisfiesAxVEqualsXAtVAndHidesWhatTheMaskHides) {
  const auto masked =
      make_masked(make_reduction(ReduceKernel::lanczos2, 2), drawn_mask({1, 3, 4, 6}));
  expect_adjoint(*masked, {1, 3, 8, 12});
  EXPECT_FALSE(masked->only_hides());
  Tensor hole({1, 1, 4, 6}, 1.f);
  hole.at(0, 0, 2, 3) = 0.f;
  const auto holed = make_masked(make_reduction(ReduceKernel::lanczos2, 2), hole);
  EXPECT_EQ(holed->known_part(Tensor({1, 1, 4, 6}, NAN)).at(0, 0, 2, 3), 0.f);
}

TEST(Reduction, SatisfiesAxVEqualsXAtVForEveryKernelAndFactor) {
  for (const ReduceKernel kernel :
       {ReduceKernel::lanczos2, ReduceKernel::lanczos3, ReduceKernel::bicubic, ReduceKernel::box})
    for (const int f : {2, 3, 4, 8})
      for (const Shape& size :
           {Shape{1, 1, f, f}, Shape{1, 3, 3 * f, 5 * f}, Shape{2, 2, f, 7 * f}})
        expect_adjoint(*make_reduction(kernel, f), size);
}

TEST(Blur, SatisfiesAxVEqualsXAtVForEveryKind) {
  const Tensor square = drawn({1, 1, 4, 5}, "kernel"), line = drawn({1, 1, 1, 6}, "line");
  const std::unique_ptr<Operator> blurs[] = {
      make_gaussian_blur(1.2), make_motion_blur(6.5, 30), make_disk_blur(2.6),
      make_kernel_blur(plus_one(square)), make_kernel_blur(plus_one(line))};
  for (const auto& A : blurs)
    for (const Shape& size : {Shape{1, 3, 7, 6}, Shape{2, 2, 33, 16}, Shape{1, 1, 6, 40}})
      expect_adjoint(*A, size);
}

TEST(Reduction, KeepsAConstantPicture) {
  const Tensor y = apply(*make_reduction(ReduceKernel::lanczos3, 4), Tensor({1, 2, 8, 12}, 0.25f));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 3}));
  for (const float v : y.values()) EXPECT_NEAR(v, 0.25f, 1e-6f);  // the taps sum to 1 in float
}

TEST(Reduction, ByBoxIsTheMeanOfEachBlock) {
  Tensor x({1, 1, 2, 4});
  for (std::size_t i = 0; i < 8; ++i) x.data()[i] = static_cast<float>(i);
  const Tensor y = apply(*make_reduction(ReduceKernel::box, 2), x);
  EXPECT_THAT(y.values(), testing::ElementsAre(2.5f, 4.5f));
}

TEST(Reduction, RefusesOtherFactorsByName) {
  EXPECT_EQ(error_text([] { make_reduction(ReduceKernel::box, 5); }),
            "reduction: factor must be 2, 3, 4 or 8, got 5");
}

TEST(Reduction, RefusesAPictureThatDoesNotDivide) {
  const auto A = make_reduction(ReduceKernel::box, 4);
  EXPECT_THAT(error_text([&] {
                A->output_shape({1, 3, 8, 10});
              }),
              HasSubstr("10x8 does not divide by 4"));
  EXPECT_THAT(error_text([&] { A->output_shape({1, 3, 0, 8}); }), HasSubstr("does not divide"));
}

TEST(Mask, MultipliesEveryChannelAndEveryPictureOfABatch) {
  Tensor mask({1, 1, 1, 2});
  mask.data()[0] = 0.5f;
  Tensor x({2, 2, 1, 2});
  for (std::size_t i = 0; i < x.count(); ++i) x.data()[i] = static_cast<float>(i + 1);
  const auto A = make_mask(mask);
  EXPECT_THAT(apply(*A, x).values(), testing::ElementsAre(.5f, 0, 1.5f, 0, 2.5f, 0, 3.5f, 0));
  EXPECT_THAT(A->known_part(x).values(), testing::ElementsAre(.5f, 0, 1.5f, 0, 2.5f, 0, 3.5f, 0));
}

TEST(Mask, HidesEvenNanInTheObservation) {
  Tensor mask({1, 1, 1, 2});
  mask.data()[1] = 1.f;
  Tensor y({1, 1, 1, 2}, 0.75f);
  y.data()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(make_mask(mask)->known_part(y).values(), testing::ElementsAre(0.f, 0.75f));
}

TEST(Identity, ComparesWithTheWholeObservation) {
  const Tensor y = drawn({1, 1, 2, 2}, "y");
  EXPECT_THAT(make_identity()->known_part(y).values(), testing::ElementsAreArray(y.values()));
}

TEST(Mask, CanBeWrittenIntoOneGraphTwice) {
  const auto A = make_mask(Tensor({1, 1, 2, 2}, 1.f));
  Graph graph;
  const NodeId x = graph.add(Input{{1, 1, 2, 2}}, {});
  A->write(graph, A->write(graph, x));
  const auto products = std::ranges::count_if(
      graph.nodes(), [](const Node& node) { return std::holds_alternative<Multiply>(node.op); });
  EXPECT_EQ(products, 2);
}

TEST(Mask, NamesBothSizesWhenTheyDiffer) {
  const auto A = make_mask(Tensor({1, 1, 32, 32}, 1.f));
  EXPECT_THAT(error_text([&] {
                A->output_shape({1, 3, 48, 64});
              }),
              HasSubstr("mask: is 32x32 but the picture is 64x48; "));
  Graph graph;
  const NodeId x = graph.add(Input{{1, 3, 48, 64}}, {});
  EXPECT_THAT(error_text([&] { A->write(graph, x); }), HasSubstr("mask: is 32x32"));
}

TEST(Mask, RefusesChannelsThatAreNeitherOneNorThePictures) {
  const auto A = make_mask(Tensor({1, 3, 4, 4}, 1.f));
  EXPECT_THAT(error_text([&] {
                A->output_shape({1, 1, 4, 4});
              }),
              HasSubstr("mask: has 3 channels but the picture has 1"));
}

TEST(Mask, OfMissingPixelsOnlyIsAnError) {
  EXPECT_THAT(error_text([] {
                make_mask(Tensor({1, 1, 4, 4}));
              }),
              HasSubstr("mask: every pixel is marked as missing; "));
}

TEST(Mask, RefusesValuesOutsideOfZeroToOne) {
  EXPECT_THAT(error_text([] { make_mask(Tensor({1, 1, 1, 1}, 255.f)); }), HasSubstr("got 255"));
  EXPECT_THAT(error_text([] {
                make_mask(Tensor({1, 1, 1, 1}, std::nanf("")));
              }),
              HasSubstr("must be in [0,1]"));
}

TEST(Adjoint, RefusesAVectorOfAnotherShape) {
  EXPECT_THAT(
      error_text([] {
        apply_adjoint(*make_reduction(ReduceKernel::box, 2), {1, 1, 4, 4}, Tensor({1, 1, 4, 4}));
      }),
      HasSubstr("box reduction by 2 of a [1,1,4,4] picture gives [1,1,2,2]"));
}

TEST(Operators, DescribeThemselves) {
  EXPECT_EQ(make_identity()->describe(), "identity");
  EXPECT_EQ(make_reduction(ReduceKernel::lanczos2, 4)->describe(), "lanczos2 reduction by 4");
  Tensor mask({1, 1, 2, 2}, 1.f);
  mask.data()[0] = 0.f;
  EXPECT_EQ(make_mask(mask)->describe(), "mask with 75.0 % known");
}

}  // namespace operators_test
}  // namespace unmar
