#include "patches/reference.h"

#include <gtest/gtest.h>

#include "noise/anscombe.h"
#include "patches/combine.h"
#include "patches/support.h"
#include "unmar/patches/patches.h"

namespace unmar::test {
namespace reference_test {

constexpr double kSigma = 0.1;

/// Measured: below 1e-6 for pictures of values near 1. More than a rounding to 6e-8, as weights
/// come from matrices inverted in floats; less than any change of a weight would do.
constexpr double kRounding = 1e-5;
/// Groups are told apart by distances; nearer than this, rounding could decide.
constexpr double kTold = 1e-5;

PatchOptions of(const FilterOptions& o) {
  return {.size = o.size,
          .group = o.group,
          .radius = o.radius,
          .step = o.step,
          .iterations = o.iterations,
          .threads = 1};
}

void expect_reference(const Shape& shape, const FilterOptions& options, std::uint64_t seed) {
  const Tensor y = noisy(waves(shape), kSigma, seed);
  const Filtered expected = filtered(y, kSigma, options);
  ASSERT_GT(expected.closest_call, kTold) << "take another seed";
  ASSERT_GT(largest_difference(expected.picture, y), kSigma);  // something has happened
  on_every_instruction_set([&] {
    EXPECT_LT(largest_difference(patches_denoise(y, white(kSigma), of(options)), expected.picture),
              kRounding);
  });
}

TEST(Filter, is_the_reference_in_gray) { expect_reference({1, 1, 22, 19}, {6, 24, 20, 3, 3}, 1); }

TEST(Filter, is_the_reference_in_colour) { expect_reference({1, 3, 22, 19}, {6, 24, 20, 3, 3}, 1); }

TEST(Filter, takes_channels_that_are_no_colours_one_by_one) {
  const Tensor y = noisy(waves({1, 4, 22, 19}), kSigma, 1);
  NoiseModel noise = white(kSigma);
  noise.channels = {kSigma, 2 * kSigma, kSigma / 2, kSigma};
  const Tensor together = patches_denoise(y, noise);
  const Tensor step = patches_step(y, together, noise);
  const std::size_t plane = y.count() / 4;
  const auto channel = [&](const Tensor& t, std::size_t c) {
    Tensor one({1, 1, 22, 19});
    std::copy_n(t.data() + c * plane, plane, one.data());
    return one;
  };
  for (std::size_t c = 0; c < 4; ++c) {
    const Tensor own = channel(y, c), alone = patches_denoise(own, white(noise.channels[c]));
    EXPECT_EQ(largest_difference(channel(together, c), alone), 0) << c;
    EXPECT_EQ(
        largest_difference(channel(step, c), patches_step(own, alone, white(noise.channels[c]))), 0)
        << c;
  }
}

TEST(Filter, is_the_reference_in_windows_that_borders_clip) {
  expect_reference({1, 1, 26, 31}, {5, 16, 4, 4, 2}, 1);
}

TEST(Filter, is_the_reference_when_it_groups_anew) {
  expect_reference({1, 1, 22, 19}, {6, 16, 20, 6, 5}, 1);
}

TEST(Filter, is_the_reference_with_all_patches_in_one_group) {
  expect_reference({1, 3, 12, 11}, {6, 64, 20, 5, 5}, 1);
}

TEST(Filter, of_one_step_from_a_pilot_is_the_reference) {
  const Shape shape{1, 3, 22, 19};
  const Tensor y = noisy(waves(shape), kSigma), pilot = noisy(waves(shape), 0.02, 2);
  const Filtered expected = filtered_with_pilot(y, pilot, kSigma, 6);
  ASSERT_GT(expected.closest_call, kTold) << "take another seed";
  on_every_instruction_set([&] {
    const Tensor x = patches_step(y, pilot, white(kSigma), {.radius = 6, .threads = 1});
    EXPECT_LT(largest_difference(x, expected.picture), kRounding);
  });
}

TEST(Filter, has_the_strength_that_each_channel_has_in_the_model) {
  // Gray thrice: only the first opponent channel has noise, and the others say so.
  const Tensor gray = noisy(waves({1, 1, 22, 19}), kSigma);
  Tensor y({1, 3, 22, 19});
  for (std::size_t i = 0; i < y.count(); ++i) y.data()[i] = gray.data()[i % gray.count()];
  const PatchOptions options{.threads = 1};
  const double sigma = kSigma * std::sqrt(3.0);  // of the mean times sqrt(3)
  NoiseModel model;
  model.channels = {sigma, 1e-3, 1e-3};
  const Tensor x = patches_denoise(y, model, options);
  const Tensor expected = patches_denoise(gray, white(kSigma), options);
  constexpr double kNearly = 1e-3;  // noise of 1e-3 in the others is taken away, too
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < 22; ++v)
      for (int u = 0; u < 19; ++u)
        ASSERT_NEAR(x.at(0, c, v, u), expected.at(0, 0, v, u), kNearly) << c << v << u;
}

TEST(Filter, of_poisson_noise_is_that_of_white_noise_after_the_transform) {
  for (const int channels : {1, 3}) {
    const Tensor y = noisy(waves({1, channels, 22, 19}), kSigma);
    const PatchOptions options{.threads = 1};
    const Anscombe anscombe(0.02, 0.001);
    Tensor expected = y;
    anscombe.forward(expected.values());
    expected = patches_denoise(expected, white(1), options);
    anscombe.inverse(expected.values());
    NoiseModel poisson;
    poisson.kind = NoiseKind::poisson;
    poisson.gain = 0.02, poisson.offset = 0.001;
    EXPECT_EQ(other_bits(patches_denoise(y, poisson, options), expected), 0u);
  }
}

/// A pass over channels that are not equally noisy.
class OnePass : public testing::Test {
 protected:
  static constexpr Shape kShape{1, 2, 20, 17};

  void SetUp() override { groups_.find(y_.data(), pool_); }

  const Tensor y_ = noisy(waves(kShape), kSigma);
  const Row variances_ = {0.008, 0.02};
  const Grouping grouping_ = group(Picture(y_), 5, 20, 8, 3);
  patches::Groups groups_{20, 17, {5, 20, 8, 3}};
  ThreadPool pool_{1};
};

TEST_F(OnePass, is_the_reference) {
  ASSERT_GT(grouping_.closest_call, kTold) << "take another seed";
  const Picture y(y_);
  const Picture first = first_estimate(grouping_, variances_, y);
  const Picture second = with_pilot(grouping_, variances_, y, first);
  Picture x = first, z = y;
  remove_noise(grouping_, variances_, y, 0.5, x, z);
  remove_noise(grouping_, variances_, y, 0.2, x, z);
  on_every_instruction_set([&] {
    const patches::Pass pass{groups_, variances_, pool_};
    EXPECT_LT(largest_difference(pass.first_estimate(y_), first.to_tensor()), kRounding);
    EXPECT_LT(largest_difference(pass.with_pilot(y_, first.to_tensor()), second.to_tensor()),
              kRounding);
    Tensor a = first.to_tensor(), b = y_;
    ASSERT_TRUE(pass.remove_noise(y_, 0.5, a, b));
    ASSERT_TRUE(pass.remove_noise(y_, 0.2, a, b));
    EXPECT_LT(largest_difference(a, x.to_tensor()), kRounding);
    EXPECT_LT(largest_difference(b, z.to_tensor()), kRounding);
  });
}

TEST_F(OnePass, is_the_reference_where_more_than_the_noise_is_gone) {
  // Then the least share counts, and weights of matrices with so little on the diagonal are rounded
  // more.
  constexpr double kNearlySingular = 1e-4;
  const Tensor clean = waves(kShape);
  Tensor z = y_;
  for (std::size_t i = 0; i < z.count(); ++i) z.data()[i] += 1.7f * (clean.data()[i] - z.data()[i]);
  Picture expected(noisy(clean, 0.02, 2)), left(z);
  Tensor x = expected.to_tensor();
  remove_noise(grouping_, variances_, Picture(y_), 0, expected, left);
  on_every_instruction_set([&] {
    Tensor a = x, b = z;
    ASSERT_TRUE((patches::Pass{groups_, variances_, pool_}.remove_noise(y_, 0, a, b)));
    EXPECT_LT(largest_difference(a, expected.to_tensor()), kNearlySingular);
    EXPECT_GT(largest_difference(a, z), 10 * kNearlySingular);
  });
}

}  // namespace reference_test
}  // namespace unmar::test
