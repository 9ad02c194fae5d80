#include "unmar/tasks/latent_search.h"

#include <utility>

#include "base/fail.h"
#include "tasks/plan.h"
#include "tasks/task.h"
#include "unmar/fit/fit.h"
#include "unmar/fit/stop.h"

namespace unmar {
namespace {

NodeId filled(Graph& graph, const Shape& shape, float value, const std::string& name) {
  return graph.add(Constant{std::make_shared<const Tensor>(shape, value)}, {}, name);
}

class LatentSearch {
 public:
  LatentSearch(Task task, const Image& damaged, const Image* mask, const RestoreOptions& known,
               const GanModel& model, const LatentOptions& options,
               const std::function<void(double)>& on_progress, std::stop_token cancel)
      : model_(model),
        o_(options),
        on_progress_(on_progress),
        cancel_(std::move(cancel)),
        resolved_(resolve_for(task, damaged, mask, alone(task, known))),
        plan_(make_plan(task, damaged, mask, resolved_)),
        shape_{1, plan_.input.channels(), plan_.input.height(), plan_.input.width()},
        engine_(make_engine(options.engine)) {
    const GanOptions& gan = model.gan;
    if (gan.channels != shape_.c || gan.size < shape_.h || gan.size < shape_.w)
      fail(
          ErrorCode::bad_input,
          "latent search: the model makes {0}x{0} px with {1} channels, but the result has {2}x{3} "
          "px with {4}; take a model of such pictures",
          gan.size, gan.channels, shape_.w, shape_.h, shape_.c);
  }

  LatentResult run() {
    FitResult best;
    for (int start = 0; start < o_.starts; ++start) {
      FitResult one = fit_latent(start);
      if (start == 0 || one.final_loss < best.final_loss) best = std::move(one);
    }
    if (o_.weight_iterations > 0) best = fit_weights(best.state.params);
    result_.image = finish(plan_, best.best);
    return std::move(result_);
  }

 private:
  static RestoreOptions alone(Task task, RestoreOptions known) {
    if (task_spec(task).method) known.method = Method::dip;
    return known;
  }

  /// z -> picture in [0,1], as large as the result; z is a parameter of its own.
  Problem problem(int start, Optimise optimise) const {
    ProblemOptions how;
    how.reg_noise_std = 0.f;
    how.input_channels = 1;  // of the fit's own input, which nothing reads
    how.optimise = optimise;
    how.own_network = [&](Graph& graph, NodeId, const Shape&) {
      const NodeId z = graph.add(
          Learned{std::make_shared<const Tensor>(latent_of(model_.gan, o_.seed, start, 1))}, {},
          "latent");
      const NodeId signed_picture = write_trained_generator(graph, z, model_);
      const Shape& shape = graph.shape(signed_picture);
      const NodeId half = filled(graph, shape, 0.5f, "half");
      const NodeId scaled = graph.add(Multiply{}, {signed_picture, half}, "scaled");
      return graph.add(Add{}, {scaled, half}, "picture");
    };
    return make_problem(plan_.y, shape_, *plan_.A, how);
  }

  FitResult fit_latent(int start) {
    const Problem search = problem(start, Optimise::input);
    result_.macs = count_macs(search.graph);
    return fit_one(search, o_.latent_iterations, o_.latent_lr, *make_fixed_count(), nullptr);
  }

  FitResult fit_weights(const std::vector<Tensor>& from) {
    const auto stopper =
        resolved_.sigma
            ? make_discrepancy(plan_.y, plan_.A->known_part(Tensor(plan_.y.shape(), 1.f)),
                               static_cast<float>(*resolved_.sigma / 255))
            : make_fixed_count();
    return fit_one(problem(0, Optimise::weights_and_input), o_.weight_iterations, o_.weight_lr,
                   *stopper, &from);
  }

  FitResult fit_one(const Problem& search, int iterations, float lr, Stopper& stopper,
                    const std::vector<Tensor>* weights) {
    FitOptions how;
    how.iterations = iterations;
    how.adam.lr = lr;
    how.seed = o_.seed;
    how.threads = o_.threads;
    how.average = 0.f;
    how.keep = Keep::last;
    how.weights = weights;
    how.return_state = true;
    const auto tell = [&](const FitProgress&) {
      ++result_.iterations;
      if (on_progress_)
        on_progress_(static_cast<double>(result_.iterations) /
                     (o_.starts * o_.latent_iterations + o_.weight_iterations));
    };
    FitResult result = fit(search, *engine_, how, stopper, nullptr, tell, cancel_);
    if (result.stopped_by == StoppedBy::cancelled)
      fail(ErrorCode::cancelled, "latent search: stopped before it had a picture");
    return result;
  }

  const GanModel& model_;
  const LatentOptions& o_;
  const std::function<void(double)>& on_progress_;
  const std::stop_token cancel_;
  const RestoreOptions resolved_;
  const Plan plan_;
  const Shape shape_;
  const std::unique_ptr<Engine> engine_;
  LatentResult result_;
};

}  // namespace

LatentResult latent_search(Task task, const Image& damaged, const Image* mask,
                           const RestoreOptions& known, const GanModel& model,
                           const LatentOptions& options,
                           const std::function<void(double)>& on_progress, std::stop_token cancel) {
  const auto require = [](int value, int least, const char* name) {
    if (value < least)
      fail(ErrorCode::bad_argument, "latent search: {} must be at least {}, got {}", name, least,
           value);
  };
  require(options.starts, 1, "starts");
  require(options.latent_iterations, 1, "latent_iterations");
  require(options.weight_iterations, 0, "weight_iterations");
  return LatentSearch(task, damaged, mask, known, model, options, on_progress, std::move(cancel))
      .run();
}

}  // namespace unmar
