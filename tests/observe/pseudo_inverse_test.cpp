#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "unmar/base/random.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace {

using test::error_text;

Tensor drawn(const Shape& shape, const char* name) {
  Tensor t(shape);
  Random(7, name).uniform(t.values(), -1.f, 1.f);
  return t;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double largest = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.data()[i] - b.data()[i])));
  return largest;
}

TEST(PseudoInverse, of_a_reduction_finds_a_picture_that_reduces_to_what_it_was_given) {
  for (const ReduceKernel kernel :
       {ReduceKernel::box, ReduceKernel::bicubic, ReduceKernel::lanczos2, ReduceKernel::lanczos3})
    for (const int factor : {2, 3, 4, 8}) {
      const auto A = make_reduction(kernel, factor);
      const Shape small{2, 3, 5, 6}, large{2, 3, 5 * factor, 6 * factor};
      const Tensor v = drawn(small, "v");
      const Tensor x = apply_pseudo_inverse(*A, large, v);
      EXPECT_LE(largest_difference(apply(*A, x), v), 1e-5) << A->describe();
      // The shortest one: what A does not see of it is nothing.
      EXPECT_LE(largest_difference(apply_pseudo_inverse(*A, large, apply(*A, x)), x), 1e-4)
          << A->describe();
    }
}

TEST(PseudoInverse, of_the_average_repeats_pixels) {
  const Tensor v = drawn({1, 1, 3, 4}, "v");
  const Tensor x = apply_pseudo_inverse(*make_reduction(ReduceKernel::box, 4), {1, 1, 12, 16}, v);
  for (int row = 0; row < 12; ++row)
    for (int column = 0; column < 16; ++column)
      EXPECT_NEAR(x.at(0, 0, row, column), v.at(0, 0, row / 4, column / 4), 1e-6);
}

TEST(PseudoInverse, of_a_mask_undoes_its_weights_and_leaves_the_missing_at_zero) {
  Tensor mask({1, 1, 4, 4});
  for (std::size_t i = 0; i < 16; ++i) mask.data()[i] = static_cast<float>(i % 4) / 4;
  const auto A = make_mask(mask);
  const Tensor clean = drawn({1, 3, 4, 4}, "clean");
  const Tensor x = apply_pseudo_inverse(*A, clean.shape(), apply(*A, clean));
  for (std::size_t i = 0; i < x.count(); ++i)
    EXPECT_NEAR(x.data()[i], i % 4 == 0 ? 0.f : clean.data()[i], 1e-5) << i;
}

TEST(PseudoInverse, ends_where_nothing_explains_the_values) {
  Tensor mask({1, 1, 1, 2});
  mask.data()[0] = 1.f;
  const Tensor x = apply_pseudo_inverse(*make_mask(mask), {1, 1, 1, 2}, Tensor({1, 1, 1, 2}, 3.f));
  EXPECT_EQ(x.data()[0], 3.f);
  EXPECT_EQ(x.data()[1], 0.f);
  const auto zero = apply_pseudo_inverse(*make_identity(), {1, 1, 1, 2}, Tensor({1, 1, 1, 2}));
  EXPECT_EQ(zero.data()[0], 0.f);
}

TEST(PseudoInverse, names_shapes_that_do_not_fit) {
  const auto A = make_reduction(ReduceKernel::box, 2);
  EXPECT_THAT(error_text([&] {
                apply_pseudo_inverse(*A, {1, 1, 4, 4}, Tensor({1, 1, 4, 4}));
              }),
              testing::HasSubstr("box reduction by 2 of a [1,1,4,4] picture gives [1,1,2,2], got "
                                 "[1,1,4,4]"));
}

}  // namespace
}  // namespace unmar
