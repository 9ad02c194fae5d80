#include "unmar/gan/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "error_text.h"
#include "gan/spectral.h"
#include "gan/support.h"
#include "unmar/tensor/archive.h"

namespace unmar::gan_test {
namespace trainer_test {

using ::testing::HasSubstr;

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && std::ranges::equal(x.values(), y.values());
  });
}
bool same(const TrainState& a, const TrainState& b) {
  return same(a.params, b.params) && same(a.m, b.m) && same(a.v, b.v) &&
         same(a.averages, b.averages) && a.updates == b.updates;
}
bool same(const GanTrainerState& a, const GanTrainerState& b) {
  return same(a.generator, b.generator) && same(a.discriminator, b.discriminator) &&
         a.updates == b.updates && same(a.directions, b.directions);
}

GanTrainerOptions spectral_training() {
  GanTrainerOptions o = small_training();
  o.norm_discriminator = GanNorm::spectral;
  return o;
}

/// Of the weights as a matrix of n rows: the root of the largest eigenvalue of W W^T, by so many
/// power iterations that it is right to all digits that matter here.
double largest_singular_value(const Tensor& weights) {
  const auto rows = static_cast<std::size_t>(weights.shape().n);
  const std::size_t columns = weights.count() / rows;
  std::vector<double> square(rows * rows), x(rows, 1.0);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < rows; ++k)
      for (std::size_t c = 0; c < columns; ++c)
        square[i * rows + k] +=
            double{weights.data()[i * columns + c]} * double{weights.data()[k * columns + c]};
  double largest = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<double> next(rows);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t k = 0; k < rows; ++k) next[i] += square[i * rows + k] * x[k];
    largest = *std::ranges::max_element(next, {}, [](double v) { return std::abs(v); });
    for (std::size_t i = 0; i < rows; ++i) x[i] = next[i] / largest;
  }
  return std::sqrt(std::abs(largest));
}

/// name -> norm of each weight of the discriminator.
std::map<std::string, double> norms_of(const GanTrainer& trainer, const GanTrainerOptions& o) {
  Graph graph;
  const NodeId x = graph.add(Input{{1, o.gan.channels, o.gan.size, o.gan.size}}, {}, "x");
  write_gan_discriminator(graph, x, o.gan, o.norm_discriminator);
  const TrainState state = trainer.state().discriminator;
  std::map<std::string, double> norms;
  for (std::size_t i = 0; i < state.params.size(); ++i)
    if (graph.params()[i].name.ends_with(".weight"))
      norms[graph.params()[i].name] = largest_singular_value(state.params[i]);
  return norms;
}

/// Mean, over 16 samples, of the mean squared distance to the nearest picture.
double distance_of_samples(const GanTrainer& trainer, const GanTrainerOptions& o) {
  GanGenerator generator({o.gan, gan_weights(o.gan, trainer.averages())}, {.batch = 16});
  const Tensor made = generator.pictures(latent_of(o.gan, 1, 0, 16));
  GanTrainerOptions all = o;
  all.batch = 10;  // every picture once
  const Tensor real = stripes(all, 0);
  const std::size_t size = made.count() / 16;
  double sum = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    double nearest = HUGE_VAL;
    for (std::size_t k = 0; k < 10; ++k) {
      double square = 0;
      for (std::size_t p = 0; p < size; ++p) {
        const double d = made.data()[i * size + p] - real.data()[k * size + p];
        square += d * d;
      }
      nearest = std::min(nearest, square / static_cast<double>(size));
    }
    sum += nearest / 16;
  }
  return sum;
}

// Gray is 0.8 away from stripes of +-0.9; after so few updates a third of that is left.
TEST(GanTrainer, makes_pictures_like_those_that_it_saw) {
  const GanTrainerOptions o = small_training();
  GanTrainer trainer(o);
  train(trainer, o, 0, 1);
  EXPECT_GT(distance_of_samples(trainer, o), 0.6);
  train(trainer, o, 1, 300);
  EXPECT_LT(distance_of_samples(trainer, o), 0.3);
}

TEST(GanTrainer, learns_from_a_discriminator_of_bounded_weights) {
  const GanTrainerOptions o = spectral_training();
  GanTrainer trainer(o);
  train(trainer, o, 0, 300);
  EXPECT_LT(distance_of_samples(trainer, o), 0.3);
}

// One power iteration an update follows weights that move by 0.002 an update, of about 0.1 each.
TEST(GanTrainer, holds_the_largest_singular_value_of_each_weight_at_one) {
  constexpr double kTolerance = 0.02;
  const GanTrainerOptions o = spectral_training();
  GanTrainer trainer(o);
  int done = 0;
  for (const int updates : {0, 1, 20, 200}) {
    train(trainer, o, done, updates);
    done = updates;
    const auto norms = norms_of(trainer, o);
    EXPECT_EQ(norms.size(), 2u);
    for (const auto& [name, norm] : norms)
      EXPECT_NEAR(norm, 1, kTolerance) << name << ", " << updates;
  }
  GanTrainerOptions free = o;
  free.norm_discriminator = GanNorm::batch;
  GanTrainer other(free);
  train(other, free, 0, 20);
  for (const auto& [name, norm] : norms_of(other, free))
    EXPECT_GT(std::abs(norm - 1), kTolerance) << name;
}

TEST(DivideByNorm, divides_by_the_largest_singular_value) {
  Tensor weights({2, 2, 1, 1}), u({2, 1, 1, 1}, 1.f);
  const float given[] = {3, 0, 4, 5};  // singular values: the roots of 45 and of 5
  std::ranges::copy(given, weights.data());
  gan::divide_by_norm(weights, u, 20);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(weights.data()[i], given[i] / std::sqrt(45.0), 1e-6);
  EXPECT_NEAR(u.data()[1] / u.data()[0], 3, 1e-6);
  gan::divide_by_norm(weights, u, 1);
  EXPECT_NEAR(weights.data()[3], 5 / std::sqrt(45.0), 1e-6);
}

TEST(DivideByNorm, leaves_zeros) {
  Tensor weights({2, 3, 1, 1}, 0.f), u({2, 1, 1, 1}, 1.f);
  gan::divide_by_norm(weights, u, 2);
  for (const float w : weights.values()) EXPECT_EQ(w, 0.f);
  for (const float v : u.values()) EXPECT_EQ(v, 1.f);
}

TEST(GanDiscriminator, with_bounded_weights_has_no_norms_but_biases) {
  GanOptions o = small_training().gan;
  o.size = 16;
  Graph graph;
  const NodeId x = graph.add(Input{{1, o.channels, o.size, o.size}}, {}, "x");
  write_gan_discriminator(graph, x, o, GanNorm::spectral);
  std::vector<std::string> names;
  for (const Param& param : graph.params()) names.push_back(param.name);
  EXPECT_THAT(names,
              testing::ElementsAre("down0.conv.weight", "down0.conv.bias", "down1.conv.weight",
                                   "down1.conv.bias", "head.conv.weight", "head.conv.bias"));
}

// Logits are near 0 at the start: -log 0.5 is what both lose, whatever they are shown.
TEST(GanTrainer, begins_with_a_discriminator_that_guesses) {
  const GanTrainerOptions o = small_training();
  GanTrainer trainer(o);
  const GanUpdate u = trainer.step(stripes(o, 0));
  EXPECT_NEAR(u.generator_loss, std::log(2.0), 0.05);
  EXPECT_NEAR(u.discriminator_loss, std::log(2.0), 0.05);
  EXPECT_LT(u.diversity, 0.3);
}

TEST(GanTrainer, comes_to_the_same_bits_with_any_number_of_threads) {
  GanTrainerOptions o = small_training();
  o.threads = 1;
  GanTrainer one(o);
  train(one, o, 0, 5);
  for (const int threads : {2, 3}) {
    o.threads = threads;
    GanTrainer more(o);
    train(more, o, 0, 5);
    EXPECT_TRUE(same(one.state(), more.state())) << threads;
  }
  o.seed = 4;
  GanTrainer other(o);
  train(other, o, 0, 5);
  EXPECT_FALSE(same(one.state(), other.state()));
}

class GanTrainerOfNorm : public testing::TestWithParam<GanNorm> {};
INSTANTIATE_TEST_SUITE_P(Each, GanTrainerOfNorm, testing::Values(GanNorm::batch, GanNorm::spectral),
                         [](const auto& info) {
                           return info.param == GanNorm::batch ? "batch" : "spectral";
                         });

TEST_P(GanTrainerOfNorm, restored_goes_on_to_the_same_bits) {
  GanTrainerOptions o = small_training();
  o.norm_discriminator = GetParam();
  GanTrainer whole(o), first(o), second(o);
  train(whole, o, 0, 6);
  train(first, o, 0, 3);
  Archive out;
  GanTrainerState state = first.state();
  out(state);
  const std::string bytes = out.take();
  Archive in(bytes, "test");
  GanTrainerState read;
  in(read);
  in.expect_end();
  second.restore(read);
  EXPECT_EQ(second.updates().size(), 3u);
  train(second, o, 3, 6);
  EXPECT_TRUE(same(whole.state(), second.state()));
}

TEST(GanTrainer, refuses_a_state_of_other_networks_and_keeps_its_own) {
  GanTrainerOptions o = small_training();
  GanTrainer trainer(o);
  train(trainer, o, 0, 2);
  const GanTrainerState before = trainer.state();
  o.gan.width = 4;
  GanTrainer other(o);
  EXPECT_THROW(trainer.restore(other.state()), Error);
  GanTrainerState uneven = before;
  uneven.updates.pop_back();
  EXPECT_THROW(trainer.restore(uneven), Error);
  GanTrainer bounded(spectral_training());
  EXPECT_THROW(trainer.restore(bounded.state()), Error);
  EXPECT_THROW(bounded.restore(before), Error);
  EXPECT_TRUE(same(before, trainer.state()));
}

TEST(GanTrainer, says_what_it_cannot_take) {
  const GanTrainerOptions o = small_training();
  const auto refused = [&](auto change) {
    GanTrainerOptions changed = o;
    change(changed);
    return test::error_text([&] { GanTrainer trainer(changed); });
  };
  EXPECT_THAT(refused([](auto& c) { c.batch = 1; }), HasSubstr("batch must be at least 2, got 1"));
  EXPECT_THAT(refused([](auto& c) { c.gan.size = 10; }),
              HasSubstr("size must be a multiple of 4 from 8 to 512 px, got 10"));
  EXPECT_THAT(refused([](auto& c) { c.gan.channels = 2; }), HasSubstr("channels must be 1 or 3"));
  EXPECT_THAT(refused([](auto& c) { c.lr_discriminator = -1; }), HasSubstr("lr_discriminator"));
  EXPECT_THAT(refused([](auto& c) { c.smooth = 0.5f; }), HasSubstr("smooth"));
  GanTrainer trainer(o);
  const Tensor small({o.batch, 1, 4, 4});
  EXPECT_THAT(test::error_text([&] { trainer.step(small); }),
              HasSubstr("takes [8,1,8,8], got [8,1,4,4]"));
  Tensor broken = stripes(o, 0);
  broken.data()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(test::error_text([&] { trainer.step(broken); }, ErrorCode::numeric),
              HasSubstr("discriminator is"));
}

TEST(FailureSigns, are_seen_in_means_over_enough_updates) {
  const auto signs = [](std::size_t count, float accuracy, float diversity) {
    return failure_signs(std::vector<GanUpdate>(count, {1, 1, accuracy, diversity}));
  };
  EXPECT_FALSE(signs(kGanWindow, 0.9f, 0.9f).collapsed);
  EXPECT_FALSE(signs(kGanWindow, 0.9f, 0.9f).discriminator_too_strong);
  EXPECT_TRUE(signs(kGanWindow, 0.9f, 0.2f).collapsed);
  EXPECT_TRUE(signs(kGanWindow, 0.99f, 0.9f).discriminator_too_strong);
  EXPECT_FALSE(signs(kGanWindow - 1, 0.99f, 0.2f).collapsed);
  EXPECT_FALSE(signs(kGanWindow - 1, 0.99f, 0.2f).discriminator_too_strong);
}

}  // namespace trainer_test
}  // namespace unmar::gan_test
