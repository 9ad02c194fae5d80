#include "engine/adam.h"

#include <gtest/gtest.h>

#include <vector>

namespace unmar {
namespace adam_test {

struct Learned {
  float p = 1, m = 0, v = 0;
};

Learned after(const Adam& adam, const std::vector<float>& grads) {
  Learned x;
  std::int64_t update = 0;
  for (const float g : grads) AdamStep(adam, ++update).apply(g, x.p, x.m, x.v);
  return x;
}

// First m = 0.25, v = 0.0625; corrected 0.5 and 0.25: 1 - 0.1 * 0.5 / (0.5 + 0.5).
// With eps under the root, or added before the correction, it would be 0.942 or 0.933.
TEST(AdamStep, adds_eps_after_root_and_bias_correction) {
  const Adam adam{.lr = 0.1f, .beta1 = 0.5f, .beta2 = 0.75f, .eps = 0.5f};
  const Learned x = after(adam, {0.5f});
  EXPECT_FLOAT_EQ(x.m, 0.25f);
  EXPECT_FLOAT_EQ(x.v, 0.0625f);
  EXPECT_FLOAT_EQ(x.p, 0.95f);
}

// Then m = 0 stands still, and at last m = 1, v = 1.046875 with 1 - 0.5^3 and 1 - 0.75^3.
TEST(AdamStep, corrects_the_bias_by_the_number_of_updates) {
  const Adam adam{.lr = 0.1f, .beta1 = 0.5f, .beta2 = 0.75f, .eps = 0.5f};
  EXPECT_FLOAT_EQ(after(adam, {0.5f, -0.25f}).p, 0.95f);
  const Learned x = after(adam, {0.5f, -0.25f, 2.f});
  EXPECT_FLOAT_EQ(x.v, 1.046875f);
  EXPECT_FLOAT_EQ(x.p, 0.888078798f);
}

// PyTorch's formula with PyTorch's defaults but lr = 0.1, worked out in double.
TEST(AdamStep, with_the_defaults_follows_the_formula_for_three_updates) {
  const Adam adam{.lr = 0.1f};
  EXPECT_NEAR(after(adam, {0.5f}).p, 0.900000002, 1e-7);
  EXPECT_NEAR(after(adam, {0.5f, -0.25f}).p, 0.873366299, 1e-6);
  EXPECT_NEAR(after(adam, {0.5f, -0.25f, 2.f}).p, 0.806301535, 1e-6);
}

TEST(AdamStep, first_update_moves_by_the_rate_whatever_the_size_of_the_gradient) {
  for (const float g : {1e-3f, 1.f, -1e3f})
    EXPECT_NEAR(after({}, {g}).p, 1 - std::copysign(0.01, g), 1e-6) << g;
}

TEST(AdamStep, with_no_gradient_nothing_moves) { EXPECT_EQ(after({}, {0.f, 0.f}).p, 1.f); }

}  // namespace adam_test
}  // namespace unmar
