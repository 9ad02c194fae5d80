#include "unmar/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <type_traits>

namespace unmar {
namespace {

using ::testing::Each;

Tensor counted(const Shape& shape) {
  Tensor t(shape);
  std::iota(t.values().begin(), t.values().end(), 0.f);
  return t;
}

TEST(Shape, prints_in_the_order_of_memory) {
  EXPECT_EQ(to_string(Shape{1, 3, 64, 48}), "[1,3,64,48]");
}

TEST(Shape, counts_beyond_32_bits) {
  EXPECT_EQ((Shape{4, 1024, 1024, 1024}).count(), std::size_t{1} << 32);
}

TEST(Tensor, is_filled_with_the_value_given) {
  EXPECT_THAT(Tensor({1, 2, 3, 4}).values(), Each(0.f));
  const Tensor t({1, 2, 3, 4}, 2.5f);
  EXPECT_EQ(t.values().size(), 24u);
  EXPECT_THAT(t.values(), Each(2.5f));
}

TEST(Tensor, lies_in_memory_with_columns_innermost_and_the_batch_outermost) {
  const Tensor t = counted({2, 3, 4, 5});
  EXPECT_EQ(t.at(0, 0, 0, 1), 1.f);
  EXPECT_EQ(t.at(0, 0, 1, 0), 5.f);
  EXPECT_EQ(t.at(0, 1, 0, 0), 20.f);
  EXPECT_EQ(t.at(1, 0, 0, 0), 60.f);
  EXPECT_EQ(t.at(1, 2, 3, 4), 119.f);
}

TEST(Tensor, is_aligned_to_64_bytes) {
  for (const int w : {1, 3, 17, 1000})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Tensor({1, 1, 1, w}).data()) % 64, 0u) << w;
}

TEST(Tensor, a_copy_has_values_of_its_own) {
  Tensor a = counted({1, 1, 2, 2});
  Tensor b = a;
  b.at(0, 0, 0, 1) = 9;
  EXPECT_EQ(a.at(0, 0, 0, 1), 1.f);
  a = b;
  b.at(0, 0, 0, 1) = 7;
  EXPECT_EQ(a.at(0, 0, 0, 1), 9.f);
}

TEST(Tensor, assignment_takes_the_shape_of_the_other) {
  Tensor a({1, 1, 1, 2});
  a = counted({1, 2, 3, 4});
  EXPECT_EQ(a.shape(), (Shape{1, 2, 3, 4}));
  EXPECT_EQ(a.count(), 24u);
  EXPECT_EQ(a.at(0, 1, 2, 3), 23.f);
}

TEST(Tensor, survives_assignment_to_itself) {
  Tensor a = counted({1, 1, 2, 2});
  const Tensor& same = a;
  a = same;
  EXPECT_THAT(a.values(), ::testing::ElementsAre(0, 1, 2, 3));
}

TEST(Tensor, without_a_shape_is_empty_and_so_is_one_moved_from) {
  const Tensor none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.count(), 0u);
  EXPECT_TRUE(none.values().empty());
  EXPECT_TRUE(Tensor(none).empty());
  Tensor a = counted({1, 1, 2, 2});
  const Tensor b = std::move(a);
  EXPECT_EQ(b.count(), 4u);
  EXPECT_TRUE(a.empty());
}

TEST(TensorView, borrows_the_values_of_a_tensor) {
  const Tensor t = counted({1, 2, 1, 1});
  const TensorView view = t;
  EXPECT_EQ(view.data, t.data());
  EXPECT_EQ(view.shape, t.shape());
}

}  // namespace
}  // namespace unmar
