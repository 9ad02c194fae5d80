#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "support.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace tiles_test {

using namespace diffusion_test;
using test::error_text;
using testing::HasSubstr;

TEST(Tiled, gives_what_a_model_without_neighbourhood_gives_for_the_whole_picture) {
  for (const int overlap : {0, 1, 3, 7})
    for (const Shape& shape :
         {Shape{1, 3, 8, 8}, Shape{1, 1, 9, 16}, Shape{2, 2, 23, 8}, Shape{1, 3, 31, 29}}) {
      const NoisePredictor model = [](const Tensor& x, int t) { return scaled(x, 0.1 * t); };
      const Tensor x = uniform(shape, "x");
      EXPECT_LE(largest_difference(tiled(model, 8, overlap)(x, 5), model(x, 5)), kFloatRounding)
          << to_string(shape) << " overlap " << overlap;
    }
}

TEST(Tiled, fades_from_one_window_into_the_next) {
  int call = 0;
  const NoisePredictor model = [&](const Tensor& x, int) {
    EXPECT_EQ(x.shape(), (Shape{1, 1, 8, 8}));
    return Tensor(x.shape(), static_cast<float>(call++));
  };
  const Tensor result = tiled(model, 8, 4)(Tensor({1, 1, 8, 12}), 0);
  EXPECT_EQ(call, 2);
  for (int x = 0; x < 4; ++x) {
    EXPECT_FLOAT_EQ(result.at(0, 0, 3, x), 0.f);
    EXPECT_FLOAT_EQ(result.at(0, 0, 3, x + 8), 1.f);
    EXPECT_FLOAT_EQ(result.at(0, 0, 3, x + 4), static_cast<float>(x + 1) / 5);
  }
}

TEST(Tiled, windows_overlap_by_as_much_as_asked_for_at_least) {
  int calls = 0;
  const NoisePredictor model = [&](const Tensor& x, int) {
    ++calls;
    return x;
  };
  tiled(model, 8, 4)(Tensor({1, 1, 8, 16}), 0);
  EXPECT_EQ(calls, 3);  // at 0, 4, 8
  calls = 0;
  tiled(model, 8, 4)(Tensor({1, 1, 8, 17}), 0);
  EXPECT_EQ(calls, 4);
}

TEST(Tiled, the_gradient_is_the_transpose_of_the_blended_model) {
  // x -> what a window makes of it, mixing neighbours, and the transpose of that.
  const auto mix = [](const Tensor& x, bool transposed) {
    Tensor y(x.shape());
    for (std::size_t i = 0; i < x.count(); ++i) {
      const std::size_t from = transposed ? (i + x.count() - 3) % x.count() : (i + 3) % x.count();
      y.data()[i] = 2 * x.data()[i] - 0.5f * x.data()[from];
    }
    return y;
  };
  const NoisePredictor model = [&](const Tensor& x, int) { return mix(x, false); };
  const ModelGradient gradient = [&](const Tensor&, int, const Tensor& u) { return mix(u, true); };
  const Shape shape{1, 2, 11, 19};
  const Tensor x = uniform(shape, "x"), u = uniform(shape, "u");
  const auto dot = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.count(); ++i)
      sum += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
    return sum;
  };
  for (const int overlap : {0, 3}) {
    const double forward = dot(tiled(model, 8, overlap)(x, 5), u);
    const double backward = dot(tiled_gradient(gradient, 8, overlap)(x, 5, u), x);
    EXPECT_GT(std::abs(forward), 0.1);
    EXPECT_NEAR(forward, backward, 1e-4);  // 418 float products
    EXPECT_EQ(tile_count(shape, 8, overlap), overlap == 0 ? 2 * 3 : 2 * 4);
  }
}

TEST(Tiled, refuses_what_cannot_be_tiled) {
  const NoisePredictor model = [](const Tensor& x, int) { return x; };
  EXPECT_THAT(error_text([&] { tiled(model, 8, 8); }), HasSubstr("got 8 of 8"));
  EXPECT_THAT(error_text([&] {
                tiled(model, 8, 2)(Tensor({1, 1, 7, 9}), 0);
              }),
              HasSubstr("the picture is 9x7"));
  const NoisePredictor other = [](const Tensor&, int) { return Tensor({1, 1, 1, 1}); };
  EXPECT_THAT(error_text([&] {
                tiled(other, 8, 2)(Tensor({1, 1, 8, 8}), 0);
              }),
              HasSubstr("made [1,1,1,1] of [1,1,8,8]"));
}

}  // namespace tiles_test
}  // namespace unmar
