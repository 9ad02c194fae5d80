#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "fit/choice.h"
#include "fit/rollback.h"
#include "fit/running_average.h"
#include "fit/state.h"
#include "unmar/base/process.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace {

void check(const Problem& problem, const FitOptions& options, const Tensor* reference) {
  const auto require = [](bool ok, const char* rule, auto got) {
    if (!ok) fail(ErrorCode::bad_argument, "fit: {}, got {}", rule, got);
  };
  require(options.iterations >= 1, "iterations must be at least 1", options.iterations);
  require(options.adam.lr > 0.f && std::isfinite(options.adam.lr),
          "the learning rate must be above 0", options.adam.lr);
  require(options.average >= 0.f && options.average < 1.f, "average must be in [0,1)",
          options.average);
  require(options.rollback_db >= 0.f, "rollback_db must be 0 or more", options.rollback_db);
  require(options.rollback_every >= 1, "rollback_every must be at least 1", options.rollback_every);
  const Shape& shape = problem.graph.shape(problem.restored);
  if (reference && reference->shape() != shape)
    fail(ErrorCode::bad_argument, "fit: the reference is {} but the picture to restore is {}",
         to_string(reference->shape()), to_string(shape));
  for (const NodeId node : {problem.restored, problem.predicted, problem.fidelity})
    if (!node.valid() || !problem.graph.kept(node))
      fail(ErrorCode::bad_argument,
           "fit: the problem lacks one of restored, predicted and fidelity as a node that is kept; "
           "make_problem() sets all three");
}

/// In dB, range 1; not clamped.
double psnr(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double d = static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]);
    sum += d * d;
  }
  return -10 * std::log10(sum / static_cast<double>(a.count()));
}

/// How well the picture explains the observation, in dB.
double fidelity_db(const Op& op, float value) {
  // Beyond 100 dB differences are rounding; they must not look like spikes.
  constexpr double kLeastMse = 1e-10;
  const auto v = static_cast<double>(value);
  return -10 * std::log10(std::max(std::holds_alternative<L1>(op) ? v * v : v, kLeastMse));
}

CompileOptions compile_options(const FitOptions& options) {
  return {.seed = options.seed,
          .threads = options.threads,
          .device = options.device,
          .precision = options.precision};
}

/// One run of fit(). Allocates while it is made; then only for snapshots and what watchers record.
class Fit {
 public:
  Fit(const Problem& problem, Engine& engine, const FitOptions& options, Stopper& stopper,
      const Tensor* reference)
      : problem_(problem),
        options_(options),
        stopper_(stopper),
        reference_(reference),
        program_(engine.compile(problem.graph, compile_options(options))),
        out_(problem.graph.shape(problem.restored)),
        Ax_(predicts_apart() ? problem.graph.shape(problem.predicted) : Shape{}),
        average_(out_.shape(), options.average),
        rollback_(options, out_.shape()) {
    result_.memory_bytes = program_->memory_bytes();
    for (const Watcher& watcher : options.watchers)
      result_.watched.push_back({.name = watcher.name});
    constexpr int kMostRows = 100'000;  // beyond that they grow
    result_.history.reserve(static_cast<std::size_t>(std::min(options.iterations, kMostRows)));
    if (options.weights) begin_with(*options.weights);
    if (!options.resume.empty()) resume(options.resume);
  }

  FitResult run(const std::function<void(const FitProgress&)>& on_iteration,
                const std::stop_token& cancel) {
    cancel_ = cancel;
    const auto start = Clock::now();
    const double before = result_.seconds;
    while (result_.iterations < options_.iterations && !stopped_) {
      const int i = result_.iterations;
      const bool done = !cancel.stop_requested() && iterate(i);
      result_.seconds = before + seconds_since(start);
      if (!done && i == 0)
        fail(ErrorCode::cancelled,
             "fit: it was stopped within its first iteration, before there was a picture; nothing "
             "is written");
      if (on_iteration) tell(on_iteration, !done);
      if (done) continue;
      result_.stopped_by = StoppedBy::cancelled;
      break;
    }
    if (stopped_) result_.stopped_by = StoppedBy::stopper;
    return finish();
  }

 private:
  void tell(const std::function<void(const FitProgress&)>& on_iteration, bool cancelled) {
    on_iteration({.row = result_.history.back(),
                  .iterations = options_.iterations,
                  .seconds = result_.seconds,
                  .best_iteration = result_.best_iteration,
                  .restored = out_,
                  .average = options_.average > 0.f ? average_.value() : no_average_,
                  .save_to = [this](Archive& archive) { save(archive); },
                  .cancelled = cancelled});
  }

  /// Returns false if it was cancelled: then nothing has happened.
  bool iterate(int i) {
    best_.keep_state(*program_, options_.return_chosen_state);
    rollback_.before_step(i, *program_);
    const bool probing = wants_probe(i);
    if (probing) drop_ahead();
    if (!std::exchange(ahead_, false)) {
      if (options_.stages) options_.stages->prepare(i, out_, problem_, *program_);
      if (probing) {
        if (!program_->forward(i, false, cancel_)) return false;
        program_->read(problem_.predicted, Ax_without_jitter_);
      }
      start_step(i);
    }
    const std::optional<float> done = program_->finish_step();
    if (!done) return false;
    const float loss = *done;
    if (may_run_ahead(i + 1)) {
      start_step(i + 1);
      ahead_ = true;
    }
    program_->read(problem_.restored, out_);
    if (predicts_apart()) program_->read(problem_.predicted, Ax_);
    if (probing) program_->read(*problem_.input, jittered_input_);
    result_.final_loss = loss;
    result_.iterations = i + 1;
    HistoryRow& row = result_.history.emplace_back();
    row.iteration = i;
    row.loss = loss;

    const double fidelity = measure_fidelity(loss);
    if (must_undo(i, loss, fidelity)) {
      undo();
      row.rolled_back = true;
    } else {
      rollback_.accept(i, fidelity, average_);
      const Stopper::Verdict verdict = ask(stopper_, i, loss, result_.stopper_seconds);
      stopped_ = verdict.stop;
      stopper_chose_ = stopper_chose_ || verdict.new_best;
      // Until the stopper has an opinion, the latest picture is the best.
      choose(i, verdict.new_best || !stopper_chose_ || options_.keep == Keep::last);
      result_.best_iteration = best_.iteration();
      row.signal = stopper_.signal();
      ask_watchers(i, loss);
    }
    record_watchers(row);
    if (reference_) {
      row.psnr = psnr(out_, *reference_);
      if (options_.average > 0.f && average_.started())
        row.psnr_average = psnr(average_.value(), *reference_);
    }
    return true;
  }

  /// Whether A x is a picture of its own, and not x.
  bool predicts_apart() const { return problem_.predicted != problem_.restored; }

  void start_step(int i) { program_->start_step(options_.adam, i, cancel_); }
  /// Whether iteration i can be started while the one before it is judged. Stages and probes want
  /// the program between them.
  bool may_run_ahead(int i) const {
    return program_->asynchronous() && i < options_.iterations && !options_.stages &&
           !wants_probe(i);
  }
  void drop_ahead() {
    if (std::exchange(ahead_, false)) program_->drop_step();
  }

  bool wants_probe(int i) const {
    if (!problem_.input) return false;
    return stopper_.wants_probe(i) ||
           std::any_of(options_.watchers.begin(), options_.watchers.end(),
                       [i](const Watcher& w) { return w.stopper->wants_probe(i); });
  }

  Stopper::Verdict ask(Stopper& stopper, int i, float loss, double& seconds) {
    const auto start = Clock::now();
    if (problem_.input && stopper.wants_probe(i))
      stopper.probe(Ax_without_jitter_, jittered_input_);
    const Stopper::Verdict verdict =
        stopper.observe({i, loss, out_, predicts_apart() ? Ax_ : out_});
    seconds += seconds_since(start);
    return verdict;
  }

  void ask_watchers(int i, float loss) {
    for (std::size_t k = 0; k < options_.watchers.size(); ++k) {
      Watched& watched = result_.watched[k];
      const Stopper::Verdict verdict = ask(*options_.watchers[k].stopper, i, loss, watched.seconds);
      if (watched.stopped_at >= 0) continue;  // it has had its say; only its signal goes on
      if (verdict.new_best) watched.best_iteration = i;
      if (verdict.stop) watched.stopped_at = i;
    }
  }

  void record_watchers(HistoryRow& row) const {
    for (std::size_t k = 0; k < options_.watchers.size(); ++k) {
      const Watched& watched = result_.watched[k];
      row.watched.push_back(
          {row.rolled_back ? std::nullopt : options_.watchers[k].stopper->signal(),
           watched.best_iteration, watched.stopped_at >= 0});
    }
  }

  double measure_fidelity(float loss) {
    if (options_.rollback_db == 0.f) return 0;
    const NodeId node = problem_.fidelity;
    float value = loss;
    if (problem_.graph.loss() != node) {
      program_->read(node, scalar_);
      value = *scalar_.data();
    }
    return fidelity_db(problem_.graph.node(node).op, value);
  }

  bool must_undo(int i, float loss, double fidelity) {
    if (std::isfinite(loss)) return rollback_.spiked(fidelity);
    const bool again = last_not_finite_ >= 0 && i - last_not_finite_ <= options_.rollback_every;
    if (again || !rollback_.can_undo())
      fail(ErrorCode::numeric,
           "fit: the loss became {} at iteration {} (learning rate {}); lower `lr` or try another "
           "`seed`",
           std::isnan(loss) ? "nan" : "infinite", i, options_.adam.lr);
    last_not_finite_ = i;
    return true;
  }

  // step() has already made its update with the gradient of the spike; that goes as well.
  void undo() {
    drop_ahead();
    best_.keep_picture(average_);
    const int iteration = rollback_.undo(*program_, average_);
    stopper_.rewind(iteration);
    for (const Watcher& watcher : options_.watchers) watcher.stopper->rewind(iteration);
    ++result_.rollbacks;
  }

  void choose(int i, bool best) {
    if (!best) best_.keep_picture(average_);
    average_.add(out_);
    if (best) best_.take(i, options_.keep == Keep::average ? nullptr : &out_);
  }

  void begin_with(const std::vector<Tensor>& weights) {
    TrainState state = program_->state();
    if (!std::ranges::equal(state.params, weights, {}, &Tensor::shape, &Tensor::shape))
      fail(ErrorCode::bad_argument,
           "fit: the weights to begin with, {} tensors, are of another network, which has {}; give "
           "those of the same network",
           weights.size(), state.params.size());
    state.params = weights;
    program_->restore(state);
  }

  void save(Archive& archive) {
    TrainState state = program_->state();
    serialize(archive, state);
  }

  void resume(std::string_view bytes) {
    Archive archive(bytes, "fit: the state to resume");
    TrainState state;
    serialize(archive, state);
    archive.expect_end();
    program_->restore(state);
  }

  /// All but what problem and options say; `state` is the program's.
  void serialize(Archive& archive, TrainState& state) {
    std::string stopper = stopper_.name();
    archive(stopper);
    if (stopper != stopper_.name())
      fail(ErrorCode::bad_input, "fit: the state to resume is of stopper '{}', this fit has '{}'",
           stopper, stopper_.name());
    archive(state);
    if (archive.reading()) require_same_network(state, program_->state());
    rollback_.serialize(archive, *program_);
    archive(average_, out_);
    const Shape& picture = average_.value().shape();
    archive.require(out_.shape() == picture, "it is of a picture of another size");
    best_.serialize(archive, picture);
    archive(stopper_chose_, stopped_, last_not_finite_);
    archive(result_.best_iteration, result_.iterations, result_.seconds, result_.final_loss,
            result_.rollbacks, result_.history);
    const auto rows = static_cast<std::size_t>(result_.iterations);
    archive.require(result_.iterations > 0 && result_.history.size() == rows,
                    "the history has not one row per iteration");
    archive.require(result_.best_iteration >= 0 && result_.best_iteration < result_.iterations,
                    "the chosen iteration is none of its own");
    stopper_.serialize(archive);
    const std::size_t watchers = options_.watchers.size();
    archive(result_.stopper_seconds, result_.watched);
    archive.require(result_.watched.size() == watchers, "it has other watchers");
    for (const Watcher& watcher : options_.watchers) watcher.stopper->serialize(archive);
    if (options_.stages) options_.stages->serialize(archive);
  }

  FitResult finish() {
    drop_ahead();
    best_.keep_picture(average_);
    best_.keep_state(*program_, options_.return_chosen_state);
    result_.best = best_.take_picture();
    result_.chosen_state = best_.take_state();
    result_.last = std::move(out_);
    if (options_.return_state) {
      result_.state = program_->state();
      for (const Param& param : problem_.graph.params()) result_.param_names.push_back(param.name);
    }
    return std::move(result_);
  }

  const Problem& problem_;
  const FitOptions& options_;
  Stopper& stopper_;
  const Tensor* reference_;
  std::unique_ptr<Program> program_;
  Tensor out_, Ax_, scalar_{Shape{}}, Ax_without_jitter_, jittered_input_;
  const Tensor no_average_;
  RunningAverage average_;
  Rollback rollback_;
  Choice best_;
  bool stopper_chose_ = false;
  bool stopped_ = false;  ///< by the stopper
  bool ahead_ = false;    ///< the next iteration is running already
  std::stop_token cancel_;
  int last_not_finite_ = -1;
  FitResult result_;
};

}  // namespace

std::string FitProgress::save() const {
  Archive archive;
  save_to(archive);
  return archive.take();
}

const char* to_string(StoppedBy reason) {
  switch (reason) {
    case StoppedBy::iterations:
      return "iterations";
    case StoppedBy::stopper:
      return "stopper";
    case StoppedBy::cancelled:
      return "cancelled";
  }
  return "unknown";
}

FitResult fit(const Problem& problem, Engine& engine, const FitOptions& options, Stopper& stopper,
              const Tensor* reference, const std::function<void(const FitProgress&)>& on_iteration,
              std::stop_token cancel) {
  check(problem, options, reference);
  require_support(engine.chosen_for(problem.graph), problem.graph, options.device);
  return Fit(problem, engine, options, stopper, reference).run(on_iteration, cancel);
}

}  // namespace unmar
