#include "unmar/gan/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "error_text.h"
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
         a.updates == b.updates;
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

TEST(GanTrainer, restored_goes_on_to_the_same_bits) {
  const GanTrainerOptions o = small_training();
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
