#include <gtest/gtest.h>

#include <algorithm>

#include "patches/support.h"
#include "unmar/patches/patches.h"

namespace unmar::test {
namespace gain_test {

constexpr double kSigma = 25 / 255.;

struct Astronaut {
  explicit Astronaut(bool gray)
      : clean(to_tensor(sample("astronaut.png", 96, gray))), y(noisy(clean, kSigma)) {}
  double gain(const Tensor& x) const { return decibels(x, clean) - decibels(y, clean); }
  Tensor clean, y;
};

TEST(Gain, of_the_filter_is_what_it_was_when_it_was_written) {
  // Measured: 9.28 and 10.85 dB on the middle 96 x 96 px, noise of seed 1.
  constexpr double kGray = 9.1, kColour = 10.6;
  const Astronaut gray(true), colour(false);
  const double a = gray.gain(patches_denoise(gray.y, white(kSigma)));
  const double b = colour.gain(patches_denoise(colour.y, white(kSigma)));
  EXPECT_GT(a, kGray);
  EXPECT_GT(b, kColour);
}

TEST(Gain, of_more_iterations_is_larger) {
  const Astronaut gray(true);
  const auto gain = [&](int iterations) {
    return gray.gain(patches_denoise(gray.y, white(kSigma), {.iterations = iterations}));
  };
  const double one = gain(1), five = gain(5);
  EXPECT_GT(five, one + 0.2);  // measured: 9.28 and 8.90 dB
}

TEST(Gain, of_a_step_is_larger_with_a_perfect_pilot_than_of_the_filter) {
  const Astronaut gray(true);
  const Tensor filtered = patches_denoise(gray.y, white(kSigma));
  const double own = gray.gain(patches_step(gray.y, filtered, white(kSigma)));
  const double perfect = gray.gain(patches_step(gray.y, gray.clean, white(kSigma)));
  // Measured: 11.69, 9.28 and 9.28 dB.
  EXPECT_GT(perfect, gray.gain(filtered) + 2);
  EXPECT_GT(perfect, own + 2);
}

TEST(Gain, of_colour_is_larger_than_of_each_channel_alone) {
  const Astronaut colour(false);
  const Tensor x = patches_denoise(colour.y, white(kSigma));
  Tensor alone(x.shape());
  const std::size_t plane = x.count() / 3;
  for (std::size_t c = 0; c < 3; ++c) {
    Tensor y({1, 1, 96, 96});
    std::copy_n(colour.y.data() + c * plane, plane, y.data());
    const Tensor one = patches_denoise(y, white(kSigma));
    std::copy_n(one.data(), plane, alone.data() + c * plane);
  }
  EXPECT_GT(colour.gain(x), colour.gain(alone) + 1.5);  // measured: 10.85 and 8.87 dB
}

}  // namespace gain_test
}  // namespace unmar::test
