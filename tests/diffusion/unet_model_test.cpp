#include "unmar/diffusion/unet_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "error_text.h"
#include "support.h"

namespace unmar {
namespace unet_model_test {

using namespace diffusion_test;
using test::error_text;
using testing::HasSubstr;

constexpr Shape kSample{1, 1, 8, 8};

DdpmUnetOptions small() {
  DdpmUnetOptions o;
  o.in_channels = o.out_channels = 1;
  o.block_out_channels = {4, 8};
  o.down_block_types = {DdpmBlock::resnet, DdpmBlock::attention};
  o.up_block_types = {DdpmBlock::attention, DdpmBlock::resnet};
  o.layers_per_block = 1;
  o.norm_num_groups = 2;
  o.attention_head_dim = 4;
  return o;
}

/// Of no layer 0, as the last convolution starts.
Weights drawn() {
  Weights weights;
  for (const TensorSpec& spec : unet_tensors(small())) {
    const auto side = [&](std::size_t i) {
      return i < spec.shape.size() ? static_cast<int>(spec.shape[i]) : 1;
    };
    const Shape shape = spec.shape.size() == 1 ? Shape{1, side(0), 1, 1}
                                               : Shape{side(0), side(1), side(2), side(3)};
    weights.tensors.push_back({spec.name, spec.shape, uniform(shape, spec.name, -0.4f, 0.4f)});
  }
  return weights;
}

UnetModel model(const char* engine = "auto") { return {small(), drawn(), {kSample, engine, 2}}; }

TEST(UnetModel, is_the_same_on_every_engine_and_depends_on_the_time) {
  const Tensor x = uniform(kSample, "x");
  UnetModel fast = model(), ref = model("ref");
  EXPECT_LE(largest_difference(fast.predict(x, 500), ref.predict(x, 500)), 1e-4);
  EXPECT_GT(largest_difference(fast.predict(x, 500), fast.predict(x, 10)), 1e-3);
}

TEST(UnetModel, gradient_is_what_small_changes_of_the_sample_make) {
  const Tensor x = uniform(kSample, "x"), u = uniform(kSample, "u");
  UnetModel network = model("ref");
  const Tensor gradient = network.gradient(x, 500, u);
  const auto product = [&](const Tensor& at) {
    const Tensor output = network.predict(at, 500);
    double sum = 0;
    for (std::size_t i = 0; i < u.count(); ++i)
      sum += static_cast<double>(output.data()[i]) * static_cast<double>(u.data()[i]);
    return sum;
  };
  for (std::size_t i = 0; i < x.count(); i += 7) {
    constexpr float kDelta = 1e-2f;
    Tensor up = x, down = x;
    up.data()[i] += kDelta;
    down.data()[i] -= kDelta;
    const double slope = (product(up) - product(down)) / static_cast<double>(2 * kDelta);
    EXPECT_NEAR(static_cast<double>(gradient.data()[i]), slope, 5e-3 + 0.02 * std::abs(slope)) << i;
  }
  EXPECT_LE(largest_difference(model().gradient(x, 500, u), gradient), 1e-3);
}

TEST(UnetModel, samples_the_same_bits_again) {
  const auto run = [](int threads) {
    UnetModel network(small(), drawn(), {kSample, "auto", threads});
    return sample([&](const Tensor& x, int t) { return network.predict(x, t); }, NoiseSchedule(),
                  *make_ddpm(), uniform(kSample, "x"),
                  {.timesteps = spaced_timesteps(1000, 5, Spacing::trailing)});
  };
  EXPECT_EQ(largest_difference(run(1), run(2)), 0);
}

TEST(UnetModel, names_what_does_not_fit) {
  Weights weights = drawn();
  std::swap(weights.tensors[0], weights.tensors[1]);
  EXPECT_THAT(error_text([&] { UnetModel(small(), weights, {kSample}); }),
              HasSubstr("in place of the network's '"));
  weights.tensors.pop_back();
  EXPECT_THAT(error_text([&] { UnetModel(small(), weights, {kSample}); }),
              HasSubstr("tensors for the network's"));
  UnetModel network = model();
  EXPECT_THAT(error_text([&] {
                network.predict(Tensor({1, 1, 16, 16}), 0);
              }),
              HasSubstr("made for samples of [1,1,8,8], got one of [1,1,16,16]"));
  EXPECT_THAT(error_text([&] {
                network.gradient(Tensor(kSample), 0, Tensor({1, 1, 4, 4}));
              }),
              HasSubstr("u is [1,1,4,4] for an output of [1,1,8,8]"));
}

}  // namespace unet_model_test
}  // namespace unmar
