#include "noise/patch_spectrum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "pictures.h"

namespace unmar::test {
namespace {

TEST(PatchSpectrum, of_patches_along_one_axis_is_their_variance_and_zeros) {
  PatchSpectrum spectrum(2);
  for (const float t : {-1.f, 0.f, 1.f, 4.f}) {  // variance 3.5
    // Rows that are 3 apart; what lies between them is no part of the patch.
    const float patch[] = {t, 2 * t, 99 * t, -t, 3.f};
    spectrum.add(patch, 3);
  }
  EXPECT_EQ(spectrum.count(), 4);
  const auto values = spectrum.eigenvalues();
  ASSERT_EQ(values.size(), 4u);
  EXPECT_NEAR(values[0], 3.5 * 6, 1e-12);
  for (const int i : {1, 2, 3}) EXPECT_NEAR(values[static_cast<std::size_t>(i)], 0, 1e-12);
}

TEST(PatchSpectrum, begins_with_the_largest_and_sums_to_the_variance_of_all_pixels) {
  constexpr int kSize = 3, kPatches = 500;
  const Tensor t = uniform({1, 1, kPatches, kSize * kSize}, "t");
  PatchSpectrum spectrum(kSize);
  for (int i = 0; i < kPatches; ++i) spectrum.add(t.data() + i * kSize * kSize, kSize);
  const auto values = spectrum.eigenvalues();
  EXPECT_TRUE(std::is_sorted(values.begin(), values.end(), std::greater<>()));
  double total = 0;
  for (int p = 0; p < kSize * kSize; ++p) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kPatches; ++i) {
      const auto v = static_cast<double>(t.at(0, 0, i, p));
      sum += v, squares += v * v;
    }
    total += squares / kPatches - std::pow(sum / kPatches, 2);
  }
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), total, 1e-10);
}

TEST(NoiseVariance, is_what_is_left_when_the_largest_are_taken_off) {
  const double noise[] = {1.2, 1.1, 1, 0.9, 0.8};
  EXPECT_NEAR(noise_variance(noise), 1, 1e-12);
  const double textured[] = {900, 50, 1.2, 1.1, 1, 0.9, 0.8};
  EXPECT_NEAR(noise_variance(textured), 1, 1e-12);
}

TEST(NoiseVariance, is_never_below_0) {
  const double rounded[] = {-1e-18, -2e-18, -3e-18};
  EXPECT_EQ(noise_variance(rounded), 0);
  EXPECT_EQ(noise_variance({}), 0);
}

}  // namespace
}  // namespace unmar::test
