#include "unmar/diffusion/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "error_text.h"
#include "unmar/base/random.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace trainer_test {

using ::testing::HasSubstr;

TrainerOptions options() {
  TrainerOptions o;
  o.unet = {};
  o.unet.in_channels = o.unet.out_channels = 1;
  o.unet.down_block_types = {DdpmBlock::resnet, DdpmBlock::attention};
  o.unet.up_block_types = {DdpmBlock::attention, DdpmBlock::resnet};
  o.unet.block_out_channels = {16, 16};
  o.unet.layers_per_block = 1;
  o.unet.norm_num_groups = 4;
  o.unet.dropout = 0.1f;
  o.batch = {4, 1, 8, 8};
  o.lr = 2e-3f;
  o.warmup = 5;
  o.ema_decay = 0.9f;
  o.seed = 3;
  return o;
}

struct Batch {
  Tensor noisy, timesteps, target;
};

/// Four stripes under noise that is drawn for update `i`.
Batch batch(int i) {
  const std::string name = "batch " + std::to_string(i);
  Batch b{Tensor({4, 1, 8, 8}), Tensor({4, 1, 1, 1}), Tensor({4, 1, 8, 8})};
  Random(1, name).normal(b.target.values());
  Random(1, name + " t").uniform(b.timesteps.values(), 0.f, 999.f);
  for (int n = 0; n < 4; ++n) {
    const float level = b.timesteps.at(n, 0, 0, 0) / 999.f;
    for (int y = 0; y < 8; ++y)
      for (int x = 0; x < 8; ++x)
        b.noisy.at(n, 0, y, x) = (x / 2 % 2 == n % 2 ? 1.f : -1.f) * std::sqrt(1 - level * level) +
                                 level * b.target.at(n, 0, y, x);
  }
  return b;
}

void train(Trainer& trainer, int first, int last) {
  for (int i = first; i < last; ++i) {
    const Batch b = batch(i);
    trainer.step(b.noisy, b.timesteps, b.target);
  }
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && std::ranges::equal(x.values(), y.values());
  });
}
bool same(const TrainerState& a, const TrainerState& b) {
  return same(a.train.params, b.train.params) && same(a.train.m, b.train.m) &&
         same(a.train.v, b.train.v) && same(a.train.averages, b.train.averages) &&
         a.train.updates == b.train.updates && a.losses == b.losses;
}

TEST(Trainer, learns_the_noise_in_a_few_pictures) {
  Trainer trainer(options());
  train(trainer, 0, 150);
  const auto mean = [&](std::size_t first) {
    const auto part = trainer.losses().subspan(first, 20);
    return std::accumulate(part.begin(), part.end(), 0.0) / 20;
  };
  // It starts with no noise at all, against 256 numbers of variance 1.
  EXPECT_NEAR(trainer.losses()[0], 1.0, 0.3);
  EXPECT_LT(mean(130), 0.5);
  EXPECT_EQ(trainer.updates(), 150);
}

TEST(Trainer, continues_from_a_state_to_the_same_bits) {
  Trainer trainer(options());
  train(trainer, 0, 3);
  const TrainerState saved = trainer.state();
  train(trainer, 3, 6);
  const TrainerState expected = trainer.state();
  EXPECT_FALSE(same(saved, expected));

  TrainerOptions other = options();
  other.threads = 3;
  Trainer another(other);
  train(another, 7, 8);
  another.restore(saved);
  EXPECT_TRUE(same(saved, another.state()));
  train(another, 3, 6);
  EXPECT_TRUE(same(expected, another.state()));
}

TEST(Trainer, of_the_same_seed_is_the_same_for_every_number_of_threads) {
  const auto trained = [](std::uint64_t seed, int threads) {
    TrainerOptions o = options();
    o.seed = seed;
    o.threads = threads;
    Trainer trainer(o);
    train(trainer, 0, 3);
    return trainer.state();
  };
  const TrainerState expected = trained(3, 1);
  EXPECT_TRUE(same(expected, trained(3, 2)));
  EXPECT_FALSE(same(expected, trained(4, 1)));
}

TEST(Trainer, averages_the_weights_behind_each_update) {
  Trainer trainer(options());
  std::vector<Tensor> expected;
  for (int i = 0; i < 4; ++i) {
    train(trainer, i, i + 1);
    const std::vector<Tensor> now = trainer.weights();
    if (i == 0) expected = now;
    for (std::size_t k = 0; i > 0 && k < now.size(); ++k)
      for (std::size_t j = 0; j < now[k].count(); ++j)
        expected[k].values()[j] = 0.9f * expected[k].values()[j] + 0.1f * now[k].values()[j];
    EXPECT_EQ(same(trainer.averages(), now), i == 0);
  }
  const std::vector<Tensor> averages = trainer.averages();
  for (std::size_t k = 0; k < averages.size(); ++k)
    for (std::size_t j = 0; j < averages[k].count(); ++j)
      ASSERT_NEAR(averages[k].values()[j], expected[k].values()[j], 1e-6)
          << trainer.params()[k].name;
}

/// How far each weight moves in the update behind `state`.
std::vector<double> moves(const TrainerState& state, int warmup) {
  TrainerOptions o = options();
  o.warmup = warmup;
  Trainer trainer(o);
  trainer.restore(state);
  const int at = static_cast<int>(trainer.updates());
  train(trainer, at, at + 1);
  const std::vector<Tensor> after = trainer.weights();
  std::vector<double> result;
  for (std::size_t k = 0; k < after.size(); ++k)
    for (std::size_t j = 0; j < after[k].count(); ++j)
      result.push_back(double{after[k].values()[j]} - double{state.train.params[k].values()[j]});
  return result;
}

TEST(Trainer, warms_its_rate_up_in_equal_steps) {
  Trainer trainer(options());
  train(trainer, 0, 3);
  const std::vector<double> full = moves(trainer.state(), 1);
  constexpr double kRounding = 1e-7;  // of weights up to 1
  for (const auto& [warmup, part] : {std::pair{4, 1.0}, {8, 0.5}, {40, 0.1}}) {
    const std::vector<double> warming = moves(trainer.state(), warmup);
    for (std::size_t i = 0; i < full.size(); ++i)
      ASSERT_NEAR(warming[i], part * full[i], kRounding) << warmup;
  }
  // Adam's first update moves by the rate itself.
  const std::vector<double> first = moves(Trainer(options()).state(), 1);
  EXPECT_NEAR(std::ranges::max(first), 2e-3, 2e-5);
}

TEST(Trainer, validates_without_dropout_and_without_learning) {
  Trainer trainer(options());
  train(trainer, 0, 3);
  const TrainerState before = trainer.state();
  const Batch b = batch(9);
  const float loss = trainer.validate(b.noisy, b.timesteps, b.target);
  EXPECT_EQ(trainer.validate(b.noisy, b.timesteps, b.target), loss);
  EXPECT_TRUE(same(before, trainer.state()));
  EXPECT_NE(trainer.step(b.noisy, b.timesteps, b.target), loss);  // that one drops
}

TEST(Trainer, refuses_batches_that_are_not_finite_and_learns_nothing_from_them) {
  Trainer trainer(options());
  train(trainer, 0, 2);
  const TrainerState before = trainer.state();
  Batch b = batch(2);
  b.noisy.values()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      test::error_text([&] { trainer.step(b.noisy, b.timesteps, b.target); }, ErrorCode::numeric),
      HasSubstr("update 2 are nan"));
  EXPECT_TRUE(same(before, trainer.state()));
}

TEST(Trainer, refuses_what_does_not_suit_it) {
  Trainer trainer(options());
  const Batch b = batch(0);
  EXPECT_THAT(test::error_text([&] { trainer.step(b.timesteps, b.timesteps, b.target); }),
              HasSubstr("'noisy'"));

  const TrainerState own = trainer.state();
  TrainerOptions wider = options();
  wider.unet.block_out_channels = {16, 32};
  TrainerState state = Trainer(wider).state();
  EXPECT_THAT(test::error_text([&] { trainer.restore(state); }), HasSubstr("restore"));
  EXPECT_TRUE(same(own, trainer.state()));
  state = own;
  state.losses.push_back(1.f);
  EXPECT_THAT(test::error_text([&] { trainer.restore(state); }), HasSubstr("0 updates has 1"));

  const auto refusal = [](auto change) {
    TrainerOptions o = options();
    change(o);
    return test::error_text([&] { Trainer{o}; });
  };
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.lr = 0; }), HasSubstr("lr must be above 0"));
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.warmup = 0; }), HasSubstr("warmup"));
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.clip_norm = -1; }), HasSubstr("clip_norm"));
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.ema_decay = 1; }), HasSubstr("ema_decay"));
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.batch.n = 0; }), HasSubstr("at least 1, got 0"));
  EXPECT_THAT(refusal([](TrainerOptions& o) { o.batch.c = 2; }), HasSubstr("in_channels"));
}

TEST(TrainerState, survives_an_archive) {
  Trainer trainer(options());
  train(trainer, 0, 3);
  TrainerState state = trainer.state(), read;
  Archive writing;
  writing(state);
  const std::string bytes = writing.take();
  Archive reading(bytes, "test");
  reading(read);
  reading.expect_end();
  EXPECT_TRUE(same(state, read));
}

TEST(TrainingBatch, holds_the_noise_that_the_schedule_says) {
  const NoiseSchedule schedule;
  Tensor pictures({64, 1, 8, 8});
  Random(1, "pictures").uniform(pictures.values(), -1.f, 1.f);
  const TrainingBatch of_noise = training_batch(schedule, Prediction::epsilon, pictures, 5, 7);
  const TrainingBatch of_v = training_batch(schedule, Prediction::v, pictures, 5, 7);
  EXPECT_TRUE(std::ranges::equal(of_noise.noisy.values(), of_v.noisy.values()));
  EXPECT_TRUE(std::ranges::equal(
      training_batch(schedule, Prediction::sample, pictures, 5, 7).target.values(),
      pictures.values()));
  double low = 999, high = 0, squares = 0;
  for (int n = 0; n < 64; ++n) {
    const int t = static_cast<int>(of_noise.timesteps.at(n, 0, 0, 0));
    EXPECT_EQ(static_cast<float>(t), of_noise.timesteps.at(n, 0, 0, 0));
    low = std::min<double>(low, t);
    high = std::max<double>(high, t);
    const double a = std::sqrt(schedule.alpha_bar(t)), b = std::sqrt(1 - schedule.alpha_bar(t));
    for (int y = 0; y < 8; ++y)
      for (int x = 0; x < 8; ++x) {
        const double x0 = pictures.at(n, 0, y, x), eps = of_noise.target.at(n, 0, y, x);
        EXPECT_NEAR(of_noise.noisy.at(n, 0, y, x), a * x0 + b * eps, 1e-6);
        EXPECT_NEAR(of_v.target.at(n, 0, y, x), a * eps - b * x0, 1e-6);
        squares += eps * eps;
      }
  }
  EXPECT_LT(low, 100);
  EXPECT_GT(high, 899);
  EXPECT_NEAR(squares / 4096, 1, 0.1);
  EXPECT_FALSE(std::ranges::equal(
      of_noise.noisy.values(),
      training_batch(schedule, Prediction::epsilon, pictures, 5, 8).noisy.values()));
}

}  // namespace trainer_test
}  // namespace unmar
