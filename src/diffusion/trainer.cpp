#include "unmar/diffusion/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace {

void check(const TrainerOptions& o) {
  const auto require = [](bool ok, const char* what, const char* range, double value) {
    if (!ok) fail(ErrorCode::bad_argument, "trainer: {} must be {}, got {}", what, range, value);
  };
  require(o.batch.n >= 1, "the number of samples in a batch", "at least 1", o.batch.n);
  require(o.lr > 0 && std::isfinite(o.lr), "lr", "above 0", double{o.lr});
  require(o.warmup >= 1, "warmup", "at least 1", o.warmup);
  require(o.clip_norm >= 0 && std::isfinite(o.clip_norm), "clip_norm", "0 or above",
          double{o.clip_norm});
  require(o.ema_decay > 0 && o.ema_decay < 1, "ema_decay", "between 0 and 1", double{o.ema_decay});
}

}  // namespace

struct Trainer::Impl {
  explicit Impl(const TrainerOptions& o) : options(o) {
    check(o);
    noisy = graph.add(Input{o.batch}, {}, "noisy");
    timesteps = graph.add(Input{{o.batch.n, 1, 1, 1}}, {}, "timesteps");
    const NodeId out = write_ddpm_unet(graph, noisy, timesteps, o.unet);
    target = graph.add(Input{graph.shape(out)}, {}, "target");
    graph.set_loss(graph.add(Mse{}, {out, target}, "loss"));
  }

  CompileOptions compile_options() const {
    return {.seed = options.seed,
            .threads = options.threads,
            .ema_decay = options.ema_decay,
            .precision = options.precision};
  }
  void compile() { program = make_engine(options.engine)->compile(graph, compile_options()); }

  void set(TensorView a, TensorView b, TensorView c) const {
    program->set_input(noisy, a);
    program->set_input(timesteps, b);
    program->set_input(target, c);
  }

  TrainerOptions options;
  Graph graph;
  NodeId noisy, timesteps, target;
  std::unique_ptr<Program> program;
  std::vector<float> losses;
};

Trainer::Trainer(const TrainerOptions& options) : impl_(std::make_unique<Impl>(options)) {
  impl_->compile();
}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;

std::size_t Trainer::memory_needed(const TrainerOptions& options) {
  const Impl planned(options);
  return make_engine(options.engine)->memory_needed(planned.graph, planned.compile_options());
}

float Trainer::step(TensorView noisy, TensorView timesteps, TensorView target) {
  const TrainerOptions& o = impl_->options;
  impl_->set(noisy, timesteps, target);
  const double warm = static_cast<double>(updates() + 1) / o.warmup;
  const Adam adam{.lr = static_cast<float>(o.lr * std::min(warm, 1.0)), .clip_norm = o.clip_norm};
  const float loss = impl_->program->step(adam, updates()).value();
  if (!std::isfinite(loss))
    fail(ErrorCode::numeric,
         "trainer: loss or gradients of update {} are {}; look at the batch, or lower the rate",
         updates(), loss);
  impl_->losses.push_back(loss);
  return loss;
}

float Trainer::validate(TensorView noisy, TensorView timesteps, TensorView target) const {
  impl_->set(noisy, timesteps, target);
  impl_->program->forward(0, false);
  return impl_->program->loss();
}

std::int64_t Trainer::updates() const { return static_cast<std::int64_t>(impl_->losses.size()); }
std::span<const float> Trainer::losses() const { return impl_->losses; }
std::span<const Param> Trainer::params() const { return impl_->graph.params(); }
std::vector<Tensor> Trainer::weights() const { return impl_->program->state().params; }
std::vector<Tensor> Trainer::averages() const { return impl_->program->state().averages; }
std::size_t Trainer::memory_bytes() const { return impl_->program->memory_bytes(); }

TrainerState Trainer::state() const { return {impl_->program->state(), impl_->losses}; }

void serialize(Archive& archive, TrainerState& state) {
  auto& [train, losses] = state;
  archive(train, losses);
}

void Trainer::restore(const TrainerState& state) {
  if (state.train.updates != static_cast<std::int64_t>(state.losses.size()))
    fail(ErrorCode::bad_argument, "trainer: a state of {} updates has {} losses",
         state.train.updates, state.losses.size());
  TrainState own = impl_->program->state();
  try {
    impl_->program->restore(state.train);
  } catch (const Error&) {
    impl_->program->restore(own);
    throw;
  }
  impl_->losses = state.losses;
}

}  // namespace unmar
