#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <stop_token>
#include <thread>

#include "engine/harness.h"
#include "unmar/base/error.h"
#include "unmar/base/random.h"

namespace unmar::test {
namespace program_test {

using ::testing::Each;
using ::testing::HasSubstr;

/// Noise of sigma 0.5, worked out in float: an angle near 2 pi is off by 4e-7 there, and the
/// radius is 6 at most. A wrong word or index is off by about 1.
constexpr float kNoiseTolerance = 2e-6f;

/// What unmar/engine/engine.h promises about a program, whatever the ops.
class ProgramOf : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    x_ = graph_.add(Input{{1, 3, 6, 5}, true}, {}, "x");
    jitter_ = graph_.add(Jitter{0.5f}, {x_}, "jitter");
    conv_ = graph_.add(Conv2d{4, 3, 1, Border::reflect}, {jitter_}, "conv");
    act_ = graph_.add(Activation{}, {conv_}, "act");
    Tensor target({1, 4, 6, 5});
    Random(1, "target").uniform(target.values(), -1, 1);
    y_ = graph_.add(Constant{std::make_shared<const Tensor>(std::move(target))}, {}, "y");
    graph_.set_loss(graph_.add(Mse{}, {act_, y_}, "loss"));
    graph_.keep(jitter_);
    graph_.keep(act_);
    value_ = Tensor({1, 3, 6, 5});
    Random(1, "x").uniform(value_.values(), -1, 1);
  }

  std::unique_ptr<Program> compile(std::uint64_t seed = 7) const {
    auto program = make_engine(GetParam())->compile(graph_, {.seed = seed});
    program->set_input(x_, value_);
    return program;
  }

  static std::vector<float> read(const Program& program, NodeId id) {
    Tensor t;
    program.read(id, t);
    return {t.values().begin(), t.values().end()};
  }

  static Outcome all_of(const TrainState& state) {
    Outcome outcome{{"updates", Tensor(Shape{}, static_cast<float>(state.updates))}};
    for (const auto* part : {&state.params, &state.m, &state.v})
      for (const Tensor& t : *part)
        outcome.push_back({fmt::format("tensor {}", outcome.size()), t});
    return outcome;
  }

  template <class Action>
  static std::string refusal(Action action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_argument);
      return error.what();
    }
    return "(no error)";
  }

  Graph graph_;
  NodeId x_, jitter_, conv_, act_, y_;
  Tensor value_;
};

TEST_P(ProgramOf, starts_from_the_parameters_that_draw_gives) {
  const TrainState state = compile(7)->state();
  ASSERT_EQ(state.params.size(), graph_.params().size());
  EXPECT_EQ(state.updates, 0);
  for (std::size_t k = 0; k < state.params.size(); ++k) {
    const Tensor expected = draw(graph_.params()[k], 7);
    ASSERT_EQ(state.params[k].shape(), expected.shape());
    EXPECT_TRUE(std::ranges::equal(state.params[k].values(), expected.values()));
    EXPECT_THAT(state.m[k].values(), Each(0.f));
    EXPECT_THAT(state.v[k].values(), Each(0.f));
  }
}

// Element (c 2, y 1, x 4) of a [1,3,6,5] is number (1 * 5 + 4) * 3 + 2 = 29, so the second of
// block 7 of the stream (7, "jitter").
// Engines may take the logarithm and the sine of Box-Muller in float, which costs some units in the
// last of 24 bits.
constexpr float kJitterTolerance = 2e-6f;

TEST_P(ProgramOf, draws_jitter_with_channels_innermost) {
  value_ = Tensor({1, 3, 6, 5});
  const auto program = compile(7);
  program->forward(0);
  Tensor t;
  program->read(jitter_, t);
  std::vector<float> noise(t.count());
  Random(7, "jitter").normal(noise);  // iteration 0 is the plain stream
  EXPECT_NEAR(t.at(0, 2, 1, 4), 0.5f * noise[29], kNoiseTolerance);
  EXPECT_NEAR(t.at(0, 0, 0, 0), 0.5f * -0.2335428f, kNoiseTolerance);
  EXPECT_NEAR(t.at(0, 1, 0, 0), 0.5f * -0.645126343f, kNoiseTolerance);
}

// Worked out apart from this code: block 0 of iterations 1 and 2^33 + 5.
TEST_P(ProgramOf, draws_other_jitter_in_each_iteration) {
  value_ = Tensor({1, 3, 6, 5});
  const auto program = compile(7);
  program->forward(1);
  EXPECT_NEAR(read(*program, jitter_)[0], 0.5f * -1.31586373f, kNoiseTolerance);
  program->forward(kIteration);
  EXPECT_NEAR(read(*program, jitter_)[0], 0.5f * -1.51326084f, kNoiseTolerance);
}

TEST_P(ProgramOf, draws_the_same_jitter_again_in_the_same_iteration) {
  const auto program = compile();
  program->forward(3);
  const std::vector<float> first = read(*program, act_);
  program->forward(4);
  EXPECT_NE(read(*program, act_), first);
  program->forward(3);
  EXPECT_EQ(read(*program, act_), first);
}

TEST_P(ProgramOf, passes_the_source_on_without_jitter) {
  const auto program = compile();
  program->forward(3, false);
  EXPECT_TRUE(std::ranges::equal(read(*program, jitter_), value_.values()));
}

TEST_P(ProgramOf, step_returns_the_loss_before_the_update) {
  const auto program = compile();
  program->forward(5);
  const float before = program->loss();
  EXPECT_EQ(program->step({}, 5), before);
  EXPECT_EQ(program->loss(), before);
  EXPECT_EQ(program->state().updates, 1);
  program->forward(5);
  EXPECT_LT(program->loss(), before);
}

TEST_P(ProgramOf, step_moves_each_parameter_as_adam_says) {
  const auto program = compile();
  const Adam adam{.lr = 0.1f, .beta1 = 0.5f, .beta2 = 0.75f, .eps = 0.5f};
  program->forward(5);
  program->backward();
  const std::vector<Tensor> grads = program->param_grads();
  const TrainState before = program->state();
  program->step(adam, 5);
  const TrainState after = program->state();
  for (std::size_t k = 0; k < grads.size(); ++k)
    for (std::size_t i = 0; i < grads[k].count(); ++i) {
      const double g = grads[k].values()[i];  // both corrected moments of the first update are g
      ASSERT_NEAR(after.params[k].values()[i],
                  before.params[k].values()[i] - 0.1 * g / (std::abs(g) + 0.5), 1e-6)
          << graph_.params()[k].name << " " << i;
    }
}

TEST_P(ProgramOf, clips_the_norm_of_all_gradients_together) {
  const auto program = compile();
  program->forward(5);
  program->backward();
  const std::vector<Tensor> grads = program->param_grads();
  double squares = 0;
  for (const Tensor& grad : grads)
    for (const float g : grad.values()) squares += double{g} * double{g};
  const auto norm = static_cast<float>(std::sqrt(squares));

  Adam adam{.lr = 0.1f, .beta1 = 0.5f, .beta2 = 0.75f, .eps = 0.5f, .clip_norm = norm / 4};
  const TrainState before = program->state();
  program->step(adam, 5);
  const TrainState after = program->state();
  for (std::size_t k = 0; k < grads.size(); ++k)
    for (std::size_t i = 0; i < grads[k].count(); ++i) {
      const double g = grads[k].values()[i] / 4;
      ASSERT_NEAR(after.params[k].values()[i],
                  before.params[k].values()[i] - 0.1 * g / (std::abs(g) + 0.5), 1e-6)
          << graph_.params()[k].name << " " << i;
    }

  const auto stepped = [&](float clip_norm) {
    adam.clip_norm = clip_norm;
    program->restore(before);
    program->step(adam, 5);
    return all_of(program->state());
  };
  EXPECT_EQ(bit_difference(stepped(0.f), stepped(norm * 1.001f)), "") << "below the limit";
}

TEST_P(ProgramOf, clips_to_the_same_bits_with_any_number_of_threads) {
  graph_.set_loss(graph_.add(  // parameters that fill more than one chunk
      Mse{}, {graph_.add(Conv2d{4}, {graph_.add(Conv2d{1200}, {act_}, "wide")}, "back"), y_}, "l"));
  const auto stepped = [&](int threads) {
    auto program = make_engine(GetParam())->compile(graph_, {.seed = 7, .threads = threads});
    program->set_input(x_, value_);
    program->step({.clip_norm = 1e-3f}, 0);
    program->step({.clip_norm = 1e-3f}, 1);
    return all_of(program->state());
  };
  const Outcome expected = stepped(1);
  for (const int threads : {2, 3})
    EXPECT_EQ(bit_difference(expected, stepped(threads)), "") << threads;
}

TEST_P(ProgramOf, averages_the_parameters_from_the_first_step_on) {
  auto program = make_engine(GetParam())->compile(graph_, {.seed = 7, .ema_decay = 0.75f});
  program->set_input(x_, value_);
  program->step({}, 0);
  const TrainState first = program->state();
  ASSERT_EQ(first.averages.size(), first.params.size());
  program->step({}, 1);
  const TrainState second = program->state();
  for (std::size_t k = 0; k < first.params.size(); ++k)
    for (std::size_t i = 0; i < first.params[k].count(); ++i) {
      const float p1 = first.params[k].values()[i], p2 = second.params[k].values()[i];
      ASSERT_EQ(first.averages[k].values()[i], p1);
      ASSERT_NE(p1, p2);
      ASSERT_NEAR(second.averages[k].values()[i], 0.75f * p1 + 0.25f * p2, 1e-7);
    }
  program->step({}, 2);
  const TrainState expected = program->state();
  program->restore(second);
  program->step({}, 2);
  for (std::size_t k = 0; k < expected.averages.size(); ++k)
    EXPECT_TRUE(
        std::ranges::equal(program->state().averages[k].values(), expected.averages[k].values()));
}

TEST_P(ProgramOf, goes_back_to_a_snapshot_taken_between_steps_or_during_one) {
  auto program = make_engine(GetParam())->compile(graph_, {.seed = 7, .ema_decay = 0.75f});
  program->set_input(x_, value_);
  program->step({}, 0);
  const TrainState first = program->state();
  const auto between = program->take_snapshot();
  program->start_step({}, 1);
  const auto during = program->take_snapshot();
  program->finish_step();
  program->step({}, 2);
  const TrainState last = program->state();
  ASSERT_NE(bit_difference(all_of(first), all_of(last)), "");
  for (const auto& snapshot : {between, during}) {
    EXPECT_EQ(bit_difference(all_of(first), all_of(program->state_of(*snapshot))), "");
    program->restore_snapshot(*snapshot);
    EXPECT_EQ(bit_difference(all_of(first), all_of(program->state())), "");
    EXPECT_EQ(program->state().updates, 1);
    program->step({}, 1);
    program->step({}, 2);
    EXPECT_EQ(bit_difference(all_of(last), all_of(program->state())), "");
  }
}

TEST_P(ProgramOf, averages_from_the_parameters_of_a_state_without_averages) {
  const TrainState plain = compile()->state();
  EXPECT_TRUE(plain.averages.empty());
  auto program = make_engine(GetParam())->compile(graph_, {.seed = 8, .ema_decay = 0.75f});
  program->restore(plain);
  for (std::size_t k = 0; k < plain.params.size(); ++k)
    EXPECT_TRUE(
        std::ranges::equal(program->state().averages[k].values(), plain.params[k].values()));
}

TEST_P(ProgramOf, drops_the_same_elements_again_only_in_the_same_iteration) {
  const NodeId dropout = graph_.add(Dropout{0.5f}, {x_}, "dropout");
  graph_.keep(dropout);
  const auto program = compile();
  program->forward(3);
  const std::vector<float> first = read(*program, dropout);
  program->forward(4);
  EXPECT_NE(read(*program, dropout), first);
  program->forward(3);
  EXPECT_EQ(read(*program, dropout), first);
  program->forward(3, false);
  EXPECT_TRUE(std::ranges::equal(read(*program, dropout), value_.values()));
}

// Words of block 0 of the stream (7, "dropout"): what Random calls uniform.
TEST_P(ProgramOf, keeps_what_is_not_below_the_rate) {
  graph_.keep(graph_.add(Dropout{0.25f}, {x_}, "dropout"));
  const auto program = compile(7);
  program->forward(0);
  Tensor t;
  program->read({static_cast<int>(graph_.nodes().size()) - 1}, t);
  std::vector<float> unit(t.count());
  Random(7, "dropout").uniform(unit, 0.f, 1.f);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 5; ++x) {
        const bool kept = unit[static_cast<std::size_t>((y * 5 + x) * 3 + c)] >= 0.25f;
        ASSERT_FLOAT_EQ(t.at(0, c, y, x), kept ? value_.at(0, c, y, x) / 0.75f : 0.f);
      }
}

TEST_P(ProgramOf, a_loss_that_is_not_finite_updates_nothing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 1e30f}) {
    const auto program = compile();
    program->step({}, 0);
    const TrainState before = program->state();
    value_.values()[7] = bad;
    program->set_input(x_, value_);
    EXPECT_FALSE(std::isfinite(program->step({}, 1).value())) << bad;
    EXPECT_EQ(bit_difference(all_of(before), all_of(program->state())), "") << bad;
  }
}

TEST_P(ProgramOf, a_cancelled_step_updates_nothing_and_says_so) {
  const auto program = compile();
  program->step({}, 0);
  const TrainState before = program->state();
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(program->step({}, 1, source.get_token()), std::nullopt);
  EXPECT_EQ(bit_difference(all_of(before), all_of(program->state())), "");
  const auto another = compile();
  another->step({}, 0);
  EXPECT_EQ(program->step({}, 1), another->step({}, 1, std::stop_source().get_token()));
  EXPECT_EQ(bit_difference(all_of(another->state()), all_of(program->state())), "");
}

// Wherever the request comes, also between the chunks of one loop: the update is whole or none.
TEST_P(ProgramOf, a_step_cancelled_anywhere_leaves_what_was_before) {
  NodeId x = act_;  // long enough to be caught within
  for (int i = 0; i < 3; ++i) {
    x = graph_.add(Linear::enlarge(graph_.shape(x), 2), {x});
    x = graph_.add(Norm{}, {graph_.add(Conv2d{16}, {x})});
    x = graph_.add(Activation{},
                   {graph_.add(MaxPool{}, {graph_.add(Linear::enlarge(graph_.shape(x), 2), {x})})});
  }
  const NodeId zero = graph_.add(Constant{std::make_shared<const Tensor>(graph_.shape(x))}, {});
  graph_.set_loss(graph_.add(Mse{}, {x, zero}, "far"));
  const auto make = [&] {
    auto program = make_engine(GetParam())->compile(graph_, {.seed = 7, .threads = 2});
    program->set_input(x_, value_);
    program->step({}, 0);
    return program;
  };
  const auto program = make();
  const TrainState before = program->state();
  const auto start = std::chrono::steady_clock::now();
  const float loss = program->step({}, 1).value();
  const auto whole = std::chrono::steady_clock::now() - start;
  const TrainState after = program->state();
  int cancelled = 0;
  for (int part = 0; part < 20; ++part) {
    program->restore(before);
    std::stop_source source;
    std::jthread later;
    if (part == 0)
      source.request_stop();  // a thread may come too late on a busy machine
    else
      later = std::jthread([&] {
        std::this_thread::sleep_for(whole * part / 20);
        source.request_stop();
      });
    const std::optional<float> done = program->step({}, 1, source.get_token());
    if (!done) ++cancelled;
    EXPECT_EQ(bit_difference(all_of(done ? after : before), all_of(program->state())), "") << part;
    EXPECT_EQ(done.value_or(loss), loss);
  }
  EXPECT_GT(cancelled, 0) << "a stop that was requested before the step is passed over";
  program->restore(before);
  EXPECT_EQ(program->step({}, 1), loss);
  EXPECT_EQ(bit_difference(all_of(after), all_of(program->state())), "");
}

TEST_P(ProgramOf, a_step_in_two_halves_is_a_step_and_shows_nothing_before_its_end) {
  const auto whole = compile(), halves = compile();
  std::vector<float> pictures[3];
  std::optional<float> losses[3];
  Outcome states[3];
  for (int i = 0; i < 3; ++i) {
    losses[i] = whole->step({}, i);
    pictures[i] = read(*whole, act_);
    states[i] = all_of(whole->state());
  }
  halves->start_step({}, 0);
  EXPECT_EQ(halves->finish_step(), losses[0]);
  for (int i = 1; i < 3; ++i) {
    halves->start_step({}, i);
    EXPECT_EQ(halves->loss(), losses[i - 1]);
    EXPECT_EQ(read(*halves, act_), pictures[i - 1]);
    EXPECT_EQ(bit_difference(states[i - 1], all_of(halves->state())), "") << i;
    EXPECT_EQ(read(*halves, act_), pictures[i - 1]);
    EXPECT_EQ(halves->finish_step(), losses[i]);
    EXPECT_EQ(read(*halves, act_), pictures[i]);
  }
  halves->start_step({}, 3);
  halves->drop_step();
  EXPECT_EQ(bit_difference(states[2], all_of(halves->state())), "");
  EXPECT_EQ(read(*halves, act_), pictures[2]);
  EXPECT_EQ(halves->step({}, 3), whole->step({}, 3));
  EXPECT_EQ(bit_difference(all_of(whole->state()), all_of(halves->state())), "");
}

TEST_P(ProgramOf, continues_from_a_restored_state_to_the_same_bits) {
  const auto program = compile();
  program->step({}, 0);
  const TrainState saved = program->state();
  for (int i = 1; i < 4; ++i) program->step({}, i);
  const TrainState expected = program->state();
  EXPECT_NE(bit_difference(all_of(saved), all_of(expected)), "");

  program->restore(saved);
  EXPECT_EQ(bit_difference(all_of(saved), all_of(program->state())), "");
  for (int i = 1; i < 4; ++i) program->step({}, i);
  EXPECT_EQ(bit_difference(all_of(expected), all_of(program->state())), "");

  const auto another = compile();
  another->restore(saved);
  for (int i = 1; i < 4; ++i) another->step({}, i);
  EXPECT_EQ(bit_difference(all_of(expected), all_of(another->state())), "");
}

TEST_P(ProgramOf, leaves_parameters_alone_that_the_loss_does_not_see) {
  const NodeId side = graph_.add(Conv2d{2, 3}, {conv_}, "side");
  const auto program = compile();
  const TrainState before = program->state();
  program->step({}, 0);
  const TrainState after = program->state();
  const std::vector<Tensor> grads = program->param_grads();
  int unseen = 0;
  for (std::size_t k = 0; k < grads.size(); ++k) {
    const bool moved = !std::ranges::equal(before.params[k].values(), after.params[k].values());
    EXPECT_EQ(moved, graph_.params()[k].node != side) << graph_.params()[k].name;
    if (graph_.params()[k].node != side) continue;
    EXPECT_THAT(grads[k].values(), Each(0.f));
    ++unseen;
  }
  EXPECT_EQ(unseen, 2);
}

TEST_P(ProgramOf, leaves_its_inputs_as_they_were_set) {
  const auto program = compile();
  program->forward(0, false);
  const std::vector<float> first = read(*program, jitter_);
  program->step({}, 0);
  program->forward(0, false);
  EXPECT_EQ(read(*program, jitter_), first);
}

TEST_P(ProgramOf, does_not_follow_a_graph_that_grows_after_compile) {
  const auto program = compile();
  program->forward(0);
  const float loss = program->loss();
  graph_.set_loss(graph_.add(L1{}, {act_, y_}, "later"));
  program->forward(0);
  EXPECT_EQ(program->loss(), loss);
}

TEST_P(ProgramOf, reads_into_a_tensor_of_any_shape) {
  const auto program = compile();
  program->forward(0);
  program->backward();
  Tensor t({2, 2, 2, 2});
  program->read(act_, t);
  EXPECT_EQ(t.shape(), (Shape{1, 4, 6, 5}));
  t = Tensor();
  program->read_input_grad(x_, t);
  EXPECT_EQ(t.shape(), (Shape{1, 3, 6, 5}));
}

TEST_P(ProgramOf, holds_at_least_its_parameters_and_their_moments) {
  EXPECT_GE(compile()->memory_bytes(), 3 * sizeof(float) * graph_.param_count());
}

TEST_P(ProgramOf, refuses_values_that_do_not_fit_an_input) {
  const auto program = compile();
  const std::string text = refusal([&] { program->set_input(x_, Tensor({1, 3, 5, 6})); });
  EXPECT_THAT(text, HasSubstr("'x'"));
  EXPECT_THAT(text, HasSubstr("[1,3,6,5]"));
  EXPECT_THAT(text, HasSubstr("[1,3,5,6]"));
  EXPECT_THAT(refusal([&] { program->set_input(y_, Tensor({1, 4, 6, 5})); }), HasSubstr("'y'"));
}

TEST_P(ProgramOf, refuses_to_read_what_was_not_kept) {
  const auto program = compile();
  program->forward(0);
  program->backward();
  Tensor t;
  EXPECT_THAT(refusal([&] { program->read(conv_, t); }), HasSubstr("'conv'"));
  EXPECT_THAT(refusal([&] { program->read_input_grad(act_, t); }), HasSubstr("'act'"));
}

TEST_P(ProgramOf, refuses_a_state_of_another_graph_and_keeps_its_own) {
  const auto program = compile();
  const TrainState own = program->state();
  TrainState fewer = own, reshaped = own;
  fewer.m.pop_back();
  reshaped.params[0] = Tensor({4, 3, 1, 1});
  EXPECT_THAT(refusal([&] { program->restore(fewer); }), HasSubstr("restore"));
  EXPECT_THAT(refusal([&] { program->restore(reshaped); }), HasSubstr("conv.weight"));
  EXPECT_EQ(bit_difference(all_of(own), all_of(program->state())), "");
}

TEST_P(ProgramOf, refuses_to_step_without_a_loss) {
  Graph g;
  const NodeId x = g.add(Input{{1, 3, 6, 5}}, {}, "x");
  const NodeId y = g.add(Conv2d{2}, {x}, "conv");
  g.keep(y);
  const auto program = make_engine(GetParam())->compile(g, {});
  program->set_input(x, value_);
  program->forward(0);
  EXPECT_EQ(read(*program, y).size(), 60u);
  EXPECT_THAT(refusal([&] { program->backward(); }), HasSubstr("loss"));
  EXPECT_THAT(refusal([&] { program->step({}, 0); }), HasSubstr("loss"));
}

INSTANTIATE_TEST_SUITE_P(Engines, ProgramOf, ::testing::ValuesIn(engine_names()),
                         [](const auto& info) { return info.param; });

}  // namespace program_test
}  // namespace unmar::test
