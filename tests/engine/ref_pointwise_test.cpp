#include <cmath>

#include "engine/hand.h"

namespace unmar::test {
namespace ref_pointwise_test {

using ::testing::ElementsAre;

TEST(RefNorm, scales_to_mean_0_and_variance_1_then_by_gamma_and_beta) {
  const Hand op(Norm{.eps = 0.f}, {tensor({1, 1, 1, 2}, {1, 3})},
                {tensor({1, 1, 1, 1}, {2}), tensor({1, 1, 1, 1}, {5})});
  EXPECT_THAT(op.dst(), ElementsAre(3, 7));
}

TEST(RefNorm, divides_the_variance_by_the_count_and_adds_eps_under_the_root) {
  Hand op(Norm{.eps = 3.f}, {tensor({1, 1, 1, 2}, {1, 3})},
          {tensor({1, 1, 1, 1}, {2}), tensor({1, 1, 1, 1}, {5})});
  EXPECT_THAT(op.dst(), ElementsAre(4, 6));
  op.backward({1, 0});  // mean 1/2; normal -1/2, 1/2; mean of the product -1/4
  EXPECT_THAT(op.d_src(), ElementsAre(0.375f, -0.375f));
  EXPECT_THAT(op.d_param(0), ElementsAre(-0.5f));
  EXPECT_THAT(op.d_param(1), ElementsAre(1));
}

TEST(RefNorm, takes_the_moments_of_a_channel_over_the_whole_batch) {
  const Hand op(Norm{.eps = 0.f}, {tensor({2, 2, 1, 1}, {1, 10, 3, 30})},
                {tensor({1, 2, 1, 1}, {1, 1}), tensor({1, 2, 1, 1}, {0, 0})});
  EXPECT_THAT(op.dst(), ElementsAre(-1, -1, 1, 1));
}

TEST(RefNorm, of_a_flat_channel_is_beta) {
  const Hand op(Norm{}, {Tensor({1, 1, 2, 2}, 8.f)},
                {tensor({1, 1, 1, 1}, {2}), tensor({1, 1, 1, 1}, {5})});
  EXPECT_THAT(op.dst(), ElementsAre(5, 5, 5, 5));
}

Hand<Activation> activated(ActivationKind kind, float slope, std::initializer_list<float> x) {
  return {Activation{kind, slope}, {tensor({1, 1, 1, static_cast<int>(x.size())}, x)}};
}

TEST(RefActivation, leaky_relu_scales_negative_values_and_counts_0_as_one) {
  auto op = activated(ActivationKind::leaky_relu, 0.25f, {-2, 0, 3});
  EXPECT_THAT(op.dst(), ElementsAre(-0.5f, 0, 3));
  op.backward({1, 1, 1});
  EXPECT_THAT(op.d_src(), ElementsAre(0.25f, 0.25f, 1));
}

TEST(RefActivation, elu_goes_to_minus_alpha) {
  const float ln2 = std::log(2.f);
  auto op = activated(ActivationKind::elu, 4.f, {-200, -ln2, 0, 3});
  EXPECT_THAT(op.dst(), ElementsAre(-4, ::testing::FloatEq(-2), 0, 3));
  op.backward({1, 1, 1, 1});
  EXPECT_THAT(op.d_src(),
              ElementsAre(::testing::FloatNear(0, 1e-30f), ::testing::FloatEq(2), 4, 1));
}

TEST(RefActivation, sigmoid_and_silu_at_0_and_at_the_logarithm_of_3) {
  const float ln3 = std::log(3.f);
  auto sigmoid = activated(ActivationKind::sigmoid, 0.f, {0, ln3, -ln3});
  EXPECT_THAT(sigmoid.dst(),
              ElementsAre(0.5f, ::testing::FloatEq(0.75f), ::testing::FloatEq(0.25f)));
  sigmoid.backward({1, 1, 1});
  EXPECT_THAT(sigmoid.d_src(),
              ElementsAre(0.25f, ::testing::FloatEq(0.1875f), ::testing::FloatEq(0.1875f)));
  auto silu = activated(ActivationKind::silu, 0.f, {0, ln3});
  EXPECT_THAT(silu.dst(), ElementsAre(0, ::testing::FloatEq(0.75f * ln3)));
  silu.backward({1, 1});
  EXPECT_THAT(silu.d_src(), ElementsAre(0.5f, ::testing::FloatEq(0.75f + 0.1875f * ln3)));
}

TEST(RefActivation, does_not_overflow_far_from_0) {
  EXPECT_THAT(activated(ActivationKind::sigmoid, 0.f, {-1e4f, 1e4f}).dst(), ElementsAre(0, 1));
  EXPECT_THAT(activated(ActivationKind::silu, 0.f, {-1e4f, 1e4f}).dst(), ElementsAre(0, 1e4f));
}

TEST(RefMultiply, one_channel_serves_all_and_gathers_their_gradients) {
  Hand op(Multiply{}, {tensor({1, 2, 1, 2}, {1, 2, 3, 4}), tensor({1, 1, 1, 2}, {10, 100})});
  EXPECT_THAT(op.dst(), ElementsAre(10, 200, 30, 400));
  op.backward({1, 1, 1, 2});
  EXPECT_THAT(op.d_src(0), ElementsAre(10, 100, 10, 200));
  EXPECT_THAT(op.d_src(1), ElementsAre(1 + 3, 2 + 2 * 4));
}

TEST(RefMse, is_the_mean_of_squares_and_pulls_both_sources_together) {
  Hand op(Mse{}, {tensor({1, 1, 2, 2}, {1, 2, 3, 4}), tensor({1, 1, 2, 2}, {1, 0, 3, 8})});
  EXPECT_THAT(op.dst(), ElementsAre(5));
  op.backward({2});
  EXPECT_THAT(op.d_src(0), ElementsAre(0, 2, 0, -4));
  EXPECT_THAT(op.d_src(1), ElementsAre(0, -2, 0, 4));
}

TEST(RefL1, is_the_mean_of_magnitudes_and_level_at_0) {
  Hand op(L1{}, {tensor({1, 1, 2, 2}, {1, 2, 3, 4}), tensor({1, 1, 2, 2}, {1, 0, 3, 8})});
  EXPECT_THAT(op.dst(), ElementsAre(1.5f));
  op.backward({2});
  EXPECT_THAT(op.d_src(0), ElementsAre(0, 0.5f, 0, -0.5f));
  EXPECT_THAT(op.d_src(1), ElementsAre(0, -0.5f, 0, 0.5f));
}

/// 3 x + 4 y: every step is 5 long.
Tensor ramp(const Shape& shape) {
  Tensor t(shape);
  for (int y = 0; y < shape.h; ++y)
    for (int x = 0; x < shape.w; ++x) t.at(0, 0, y, x) = static_cast<float>(3 * x + 4 * y);
  return t;
}

TEST(RefTotalVariation, of_a_ramp_is_the_length_of_its_step) {
  EXPECT_THAT(Hand(TotalVariation{0.5f, 0.f}, {ramp({1, 1, 4, 6})}).dst(), ElementsAre(5));
  EXPECT_THAT(Hand(TotalVariation{1.f, 0.f}, {ramp({1, 1, 4, 6})}).dst(), ElementsAre(25));
  EXPECT_THAT(Hand(TotalVariation{1.f, 2.f}, {ramp({1, 1, 2, 2})}).dst(), ElementsAre(27));
}

TEST(RefTotalVariation, gradient_leaves_out_the_corner_without_neighbours) {
  Hand op(TotalVariation{1.f, 0.f}, {ramp({1, 1, 2, 2})});
  op.backward({1});
  EXPECT_THAT(op.d_src(), ElementsAre(-14, 6, 8, 0));
}

TEST(RefTotalVariation, of_a_flat_image_has_no_gradient_even_without_eps) {
  Hand op(TotalVariation{0.5f, 0.f}, {Tensor({1, 1, 2, 2}, 3.f)});
  EXPECT_THAT(op.dst(), ElementsAre(0));
  op.backward({1});
  EXPECT_THAT(op.d_src(), ElementsAre(0, 0, 0, 0));
}

TEST(RefWeightedSum, adds_each_source_times_its_own_weight) {
  const Tensor two = tensor({1, 1, 1, 1}, {2}), three = tensor({1, 1, 1, 1}, {3});
  Hand op(WeightedSum{{10, -1}}, {two, three});
  EXPECT_THAT(op.dst(), ElementsAre(17));
  op.backward({2});
  EXPECT_THAT(op.d_src(0), ElementsAre(20));
  EXPECT_THAT(op.d_src(1), ElementsAre(-2));
}

constexpr float kWaveTolerance = 1e-6f;  // float rounding of numbers up to 1

TEST(RefTimeEmbedding, runs_from_frequency_1_to_1e_minus_4_as_ho_et_al_have_it) {
  const Hand op(TimeEmbedding{8, false, 1.f}, {tensor({1, 1, 1, 1}, {999})});
  const std::vector<float> expected{-0.0264607527f, 0.684864229f,  0.835648501f,  0.0997339157f,
                                    0.999649853f,   -0.728670699f, -0.549264584f, 0.995014144f};
  EXPECT_THAT(op.dst(), testing::Pointwise(testing::FloatNear(kWaveTolerance), expected));
}

TEST(RefTimeEmbedding, puts_the_cosines_first_when_flipped) {
  const Hand op(TimeEmbedding{8, true, 0.f}, {tensor({1, 1, 1, 1}, {250})});
  const std::vector<float> expected{0.240988305f, 0.991202812f, -0.801143616f, 0.968912422f,
                                    -0.97052802f, -0.13235175f, 0.598472144f,  0.247403959f};
  EXPECT_THAT(op.dst(), testing::Pointwise(testing::FloatNear(kWaveTolerance), expected));
}

TEST(RefAttention, takes_the_mean_of_all_values_where_all_keys_are_equal) {
  const Tensor q = tensor({1, 1, 1, 2}, {5, -3}), k({1, 1, 1, 2}, 2.f);
  EXPECT_THAT(Hand(Attention{1}, {q, k, tensor({1, 1, 1, 2}, {10, 20})}).dst(),
              ElementsAre(15, 15));
}

TEST(RefAttention, divides_the_scores_of_each_head_by_the_root_of_its_channels) {
  // Head 0: channels 0 to 3, of which only the first is not 0. Scores of pixel 0: 0 and
  // 2 ln 3, halved, so weights 1/4 and 3/4. Head 1 sees nothing of that.
  const float ln9 = 2 * std::log(3.f);
  Tensor q({1, 8, 1, 2}), k({1, 8, 1, 2}), v({1, 8, 1, 2});
  q.at(0, 0, 0, 0) = 1;
  k.at(0, 0, 0, 1) = ln9;
  v.at(0, 0, 0, 1) = v.at(0, 7, 0, 1) = 8;
  const Hand op(Attention{2}, {q, k, v});
  EXPECT_FLOAT_EQ(op.dst()[0], 6);
  EXPECT_FLOAT_EQ(op.dst()[1], 4);
  EXPECT_FLOAT_EQ(op.dst()[14], 4);
}

TEST(RefAdd, gives_each_pixel_the_one_of_the_second_source) {
  Hand op(Add{}, {counted({2, 1, 1, 2}), tensor({2, 1, 1, 1}, {10, 20})});
  EXPECT_THAT(op.dst(), ElementsAre(10, 11, 22, 23));
  op.backward({1, 2, 3, 4});
  EXPECT_THAT(op.d_src(0), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(op.d_src(1), ElementsAre(3, 7));
}

}  // namespace ref_pointwise_test
}  // namespace unmar::test
