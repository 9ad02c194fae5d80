#include "unmar/gan/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "gan/spectral.h"
#include "unmar/base/random.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace {

constexpr float kCollapsed = 0.3f;
constexpr float kTooStrong = 0.98f;
constexpr const char* kDiscriminator = "discriminator.";
constexpr int kFirstRounds = 100;  ///< power iterations at the start, from a random vector

void check_training(const GanTrainerOptions& o) {
  check_gan(o.gan, "gan trainer");
  const auto require = [](bool ok, const char* what, const char* range, double value) {
    if (!ok)
      fail(ErrorCode::bad_argument, "gan trainer: {} must be {}, got {}", what, range, value);
  };
  require(o.batch >= 2, "the number of pictures in a batch", "at least 2", o.batch);
  require(o.lr > 0 && std::isfinite(o.lr), "lr", "above 0", double{o.lr});
  require(o.lr_discriminator > 0 && std::isfinite(o.lr_discriminator), "lr_discriminator",
          "above 0", double{o.lr_discriminator});
  require(o.beta1 >= 0 && o.beta1 < 1, "beta1", "from 0 to below 1", double{o.beta1});
  require(o.ema_decay > 0 && o.ema_decay < 1, "ema_decay", "between 0 and 1", double{o.ema_decay});
  require(o.smooth >= 0 && o.smooth < 0.5f, "smooth", "from 0 to below 0.5", double{o.smooth});
}

NodeId constant(Graph& graph, Tensor value, const std::string& name) {
  return graph.add(Constant{std::make_shared<const Tensor>(std::move(value))}, {}, name);
}

/// Mean over pixels and channels of the standard deviation over the pictures.
double spread(TensorView pictures) {
  const auto count = static_cast<std::size_t>(pictures.shape.n);
  const std::size_t size = pictures.shape.count() / count;
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) {
    double mean = 0, square = 0;
    for (std::size_t k = 0; k < count; ++k) mean += pictures.data[k * size + i];
    mean /= static_cast<double>(count);
    for (std::size_t k = 0; k < count; ++k) {
      const double d = pictures.data[k * size + i] - mean;
      square += d * d;
    }
    sum += std::sqrt(square / static_cast<double>(count));
  }
  return sum / static_cast<double>(size);
}

}  // namespace

struct GanTrainer::Impl {
  /// What a network learns by.
  struct Player {
    Graph graph;
    NodeId input, output;
    std::unique_ptr<Program> program;
  };

  /// The networks alone.
  explicit Impl(const GanTrainerOptions& o) : options(o) {
    check_training(o);
    write_generator();
    write_discriminator();
  }

  CompileOptions options_of_generator() const {
    return {.seed = options.seed, .threads = options.threads, .ema_decay = options.ema_decay};
  }
  CompileOptions options_of_discriminator() const {
    return {.seed = options.seed, .threads = options.threads};
  }

  void compile() {
    const auto engine = make_engine(options.engine);
    generator.program = engine->compile(generator.graph, options_of_generator());
    discriminator.program = engine->compile(discriminator.graph, options_of_discriminator());
    both.resize(static_cast<std::size_t>(2) * real_shape().count());
    if (options.norm_discriminator == GanNorm::spectral) {
      draw_directions();
      bound_discriminator(kFirstRounds);
    }
  }

  Shape real_shape() const {
    const GanOptions& g = options.gan;
    return {options.batch, g.channels, g.size, g.size};
  }

  /// The generator, and behind it the discriminator, which does not learn there.
  void write_generator() {
    Graph& graph = generator.graph;
    generator.input = graph.add(Input{{options.batch, options.gan.latent, 1, 1}}, {}, "z");
    generator.output =
        write_gan_generator(graph, generator.input, options.gan, NormStatistics::tracked);
    graph.keep(generator.output);
    own = graph.params().size();
    const NodeId logits = write_gan_discriminator(graph, generator.output, options.gan,
                                                  options.norm_discriminator, 1, kDiscriminator);
    for (std::size_t i = own; i < graph.params().size(); ++i) graph.freeze(static_cast<int>(i));
    const NodeId real = constant(graph, Tensor(graph.shape(logits), 1.f), "real");
    graph.set_loss(graph.add(BceWithLogits{}, {logits, real}, "loss"));
  }

  /// The real pictures first.
  void write_discriminator() {
    Graph& graph = discriminator.graph;
    Shape shape = real_shape();
    shape.n *= 2;
    discriminator.input = graph.add(Input{shape}, {}, "pictures");
    discriminator.output = write_gan_discriminator(graph, discriminator.input, options.gan,
                                                   options.norm_discriminator, 2, kDiscriminator);
    graph.keep(discriminator.output);
    Tensor target(graph.shape(discriminator.output), 0.f);
    std::fill_n(target.data(), options.batch, 1.f - options.smooth);
    const NodeId targets = constant(graph, std::move(target), "targets");
    graph.set_loss(graph.add(BceWithLogits{}, {discriminator.output, targets}, "loss"));
  }

  static bool is_bounded(const Param& param) { return param.name.ends_with(".weight"); }

  void draw_directions() {
    for (const Param& param : discriminator.graph.params()) {
      if (!is_bounded(param)) continue;
      Tensor& u = directions.emplace_back(Shape{param.shape.n, 1, 1, 1});
      Random(options.seed, "gan.direction." + param.name).normal(u.values());
    }
  }

  /// The largest singular value of each weight becomes 1.
  void bound_discriminator(int rounds) {
    TrainState state = discriminator.program->state();
    auto u = directions.begin();
    for (std::size_t i = 0; i < state.params.size(); ++i)
      if (is_bounded(discriminator.graph.params()[i]))
        gan::divide_by_norm(state.params[i], *u++, rounds);
    discriminator.program->restore(state);
  }

  void draw_latent(std::int64_t number) {
    Tensor z(generator.graph.shape(generator.input));
    Random(options.seed, fmt::format("gan.latent.{}", number)).normal(z.values());
    generator.program->set_input(generator.input, z);
  }

  /// The generator is to learn from the discriminator as it is now.
  void show_discriminator() {
    TrainState state = generator.program->state();
    std::vector<Tensor> params = discriminator.program->state().params;
    std::ranges::move(params, state.params.begin() + static_cast<std::ptrdiff_t>(own));
    generator.program->restore(state);
  }

  float step_of(Player& player, float lr, const char* name) {
    const auto number = static_cast<std::int64_t>(updates.size());
    const float loss = player.program->step({.lr = lr, .beta1 = options.beta1}, number).value();
    if (!std::isfinite(loss))
      fail(ErrorCode::numeric,
           "gan trainer: loss of the {} is {} at update {}; look at the pictures, or lower its "
           "rate",
           name, loss, number);
    return loss;
  }

  float accuracy_of(const Tensor& logits) const {
    int right = 0;
    for (int i = 0; i < logits.shape().n; ++i) {
      const float logit = logits.data()[i];
      right += i < options.batch ? logit > 0 : logit < 0;
    }
    return static_cast<float>(right) / static_cast<float>(logits.shape().n);
  }

  GanTrainerOptions options;
  Player generator, discriminator;
  std::size_t own = 0;  ///< parameters of the generator, in front of those that stand still
  std::vector<float> both;
  std::vector<Tensor> directions;  ///< of GanTrainerState
  std::vector<GanUpdate> updates;
};

GanTrainer::GanTrainer(const GanTrainerOptions& options) : impl_(std::make_unique<Impl>(options)) {
  impl_->compile();
}
GanTrainer::~GanTrainer() = default;
GanTrainer::GanTrainer(GanTrainer&&) noexcept = default;

const GanUpdate& GanTrainer::step(TensorView real) {
  Impl& m = *impl_;
  if (real.shape != m.real_shape())
    fail(ErrorCode::bad_argument, "gan trainer: takes {}, got {}", to_string(m.real_shape()),
         to_string(real.shape));
  GanUpdate update;
  m.show_discriminator();
  m.draw_latent(static_cast<std::int64_t>(m.updates.size()));
  update.generator_loss = m.step_of(m.generator, m.options.lr, "generator");
  Tensor made, logits;
  m.generator.program->read(m.generator.output, made);
  const std::size_t half = real.shape.count();
  std::copy_n(real.data, half, m.both.begin());
  std::copy_n(made.data(), half, m.both.begin() + static_cast<std::ptrdiff_t>(half));
  m.discriminator.program->set_input(
      m.discriminator.input, {m.both.data(), m.discriminator.graph.shape(m.discriminator.input)});
  update.discriminator_loss =
      m.step_of(m.discriminator, m.options.lr_discriminator, "discriminator");
  m.discriminator.program->read(m.discriminator.output, logits);
  if (!m.directions.empty()) m.bound_discriminator(1);
  update.accuracy = m.accuracy_of(logits);
  const double spread_of_real = spread(real);
  update.diversity = spread_of_real > 0 ? static_cast<float>(spread(made) / spread_of_real) : 1.f;
  return m.updates.emplace_back(update);
}

std::span<const GanUpdate> GanTrainer::updates() const { return impl_->updates; }

std::size_t GanTrainer::param_count() const { return impl_->generator.graph.param_count(); }

std::vector<Tensor> GanTrainer::averages() const {
  std::vector<Tensor> averages = impl_->generator.program->state().averages;
  averages.resize(impl_->own);
  return averages;
}

std::size_t GanTrainer::memory_needed(const GanTrainerOptions& options) {
  const Impl planned(options);
  const auto engine = make_engine(options.engine);
  return engine->memory_needed(planned.generator.graph, planned.options_of_generator()) +
         engine->memory_needed(planned.discriminator.graph, planned.options_of_discriminator());
}

std::size_t GanTrainer::memory_bytes() const {
  return impl_->generator.program->memory_bytes() + impl_->discriminator.program->memory_bytes();
}

GanTrainerState GanTrainer::state() const {
  GanTrainerState state{impl_->generator.program->state(),
                        impl_->discriminator.program->state(),
                        {},
                        impl_->directions};
  for (const GanUpdate& u : impl_->updates)
    for (const float v : {u.generator_loss, u.discriminator_loss, u.accuracy, u.diversity})
      state.updates.push_back(v);
  return state;
}

void GanTrainer::restore(const GanTrainerState& state) {
  const auto count = static_cast<std::size_t>(state.generator.updates);
  if (state.generator.updates != state.discriminator.updates || state.updates.size() != 4 * count)
    fail(ErrorCode::bad_argument,
         "gan trainer: a state of {} updates of the generator has {} of the discriminator and {} "
         "numbers of them",
         state.generator.updates, state.discriminator.updates, state.updates.size());
  if (!std::ranges::equal(state.directions, impl_->directions, {}, &Tensor::shape, &Tensor::shape))
    fail(ErrorCode::bad_argument, "gan trainer: a state with another norm of the discriminator");
  const GanTrainerState before = this->state();
  try {
    impl_->generator.program->restore(state.generator);
    impl_->discriminator.program->restore(state.discriminator);
  } catch (const Error&) {
    impl_->generator.program->restore(before.generator);
    impl_->discriminator.program->restore(before.discriminator);
    throw;
  }
  impl_->directions = state.directions;
  impl_->updates.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const float* u = &state.updates[4 * i];
    impl_->updates.push_back({u[0], u[1], u[2], u[3]});
  }
}

void serialize(Archive& archive, GanTrainerState& state) {
  auto& [generator, discriminator, updates, directions] = state;
  archive(generator, discriminator, updates, directions);
}

GanSigns failure_signs(std::span<const GanUpdate> updates) {
  if (updates.size() < kGanWindow) return {};
  double accuracy = 0, diversity = 0;
  for (const GanUpdate& u : updates.last(kGanWindow)) {
    accuracy += u.accuracy;
    diversity += u.diversity;
  }
  const auto count = static_cast<double>(kGanWindow);
  return {diversity / count<kCollapsed, accuracy / count> kTooStrong};
}

}  // namespace unmar
