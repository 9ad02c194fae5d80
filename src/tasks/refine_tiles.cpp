#include "unmar/tasks/refine_tiles.h"

#include <algorithm>

#include "base/fail.h"
#include "tasks/refine_checks.h"
#include "tasks/stopwatch.h"
#include "tasks/task.h"

namespace unmar {
namespace {

constexpr double kShareOfFit = 0.5;  ///< of a tile's work, as it is told

Rect scaled(const Rect& r, int factor) {
  return {r.y * factor, r.x * factor, r.height * factor, r.width * factor};
}

}  // namespace

RestoreOptions fit_options_of(Task task, const RefineOptions& options, const DdpmUnetOptions& unet,
                              const Shape& picture) {
  RestoreOptions fit = fit_alone(task, options.restore);
  if (fit.tile.value_or("auto") != "auto") return fit;
  const RestoreOptions resolved = resolve(task, fit);
  const int side = tile_side(task, picture.h, picture.w, resolved);
  const int factor = enlargement_of(task, resolved);
  const int least = (unet.sample_size + factor - 1) / factor * factor;
  if (side > 0 && side < least) fit.tile = std::to_string(least);
  return fit;
}

/// A network for one tile, from those that wait or, if none does, a new one.
class TileRefiner::Network {
 public:
  Network(const TileRefiner& refiner, const RestoreOptions& options) : refiner_(refiner) {
    threads_ = options.threads.value();
    {
      const std::lock_guard lock(refiner.mutex_);
      auto& waiting = refiner.waiting_;
      const auto fits = std::ranges::find(waiting, threads_, &Waiting::threads);
      if (fits != waiting.end()) {
        network_ = std::move(fits->network);
        waiting.erase(fits);
        return;
      }
      waiting.clear();  // made for another number of threads
    }
    const DdpmUnetOptions& unet = refiner.model_.unet;
    network_ = std::make_unique<UnetModel>(unet, refiner.weights_, chain_network(unet, options));
  }
  ~Network() {
    const std::lock_guard lock(refiner_.mutex_);
    refiner_.waiting_.push_back({threads_, std::move(network_)});
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  UnetModel* get() const { return network_.get(); }

 private:
  const TileRefiner& refiner_;
  int threads_;
  std::unique_ptr<UnetModel> network_;
};

TileRefiner::TileRefiner(Task task, int channels, DiffusersModel model,
                         const RefineOptions& options, const PictureParts* prior)
    : task_(task),
      model_(std::move(model)),
      weights_(std::make_shared<const Weights>(std::move(model_.weights))),
      given_(options),
      prior_(prior) {
  check_refine_options(task, options, model_.scheduler.schedule.steps);
  check_error_known(task, options, has_fit());
  resolved_ = resolve_refine(task, options, resolve(task, fit_alone(task, options.restore)));
  check_noise_known(task, resolved_);
  const int side = model_.unet.sample_size;
  check_model(model_.unet, channels, side, side);
  factor_ = enlargement_of(task, resolved_.restore);
}
TileRefiner::~TileRefiner() = default;

bool TileRefiner::has_fit() const { return !prior_ && given_.from == StartFrom::prior; }

Restored TileRefiner::restore(const Image& part, const Rect& place, const RestoreOptions& options,
                              const RestoreContext& context,
                              const std::function<void(double)>& on_share) const {
  const Network network(*this, resolve(task_, options));
  RefineOptions own = given_;
  own.restore = options;
  RefineContext how;
  how.restore = context;
  how.network = network.get();
  how.place = {place.y * factor_, place.x * factor_};
  Image prior;
  if (prior_) {
    prior = prior_->part(scaled(place, factor_));
    how.prior = &prior;
  }
  if (on_share) {
    const double fit = has_fit() ? kShareOfFit : 0;
    how.restore.on_iteration = [&, fit](const FitProgress& progress) {
      on_share(fit * (progress.row.iteration + 1) / progress.iterations);
    };
    how.on_step = [&, fit](const SampleProgress& progress) {
      on_share(fit + (1 - fit) * progress.done / progress.steps);
    };
  }
  Refined refined = refine(task_, part, nullptr, model_, own, how);
  Restored restored;
  if (refined.fit) restored = std::move(*refined.fit);
  restored.image = std::move(refined.image);
  return restored;
}

Shape TileRefiner::result_of(const Shape& part) const {
  return {1, part.c, part.h * factor_, part.w * factor_};
}

void TileRefiner::check(const Shape& part) const {
  const Shape result = result_of(part);
  const int size = model_.unet.sample_size;
  if (result.h < size || result.w < size)
    fail(
        ErrorCode::bad_argument,
        "refine: the model takes pictures of {0}x{0} px or more but the tiles have {1}x{2}; give a "
        "larger `tile`",
        size, result.w, result.h);
}

std::size_t TileRefiner::shared_memory() const {
  return memory_of_chain(model_.unet, resolved_, {}).weights;
}

std::size_t TileRefiner::memory_beside_fit(const Shape& part) const {
  const ChainMemory memory = memory_of_chain(model_.unet, resolved_, result_of(part));
  return memory.network + memory.pictures;
}

double TileRefiner::seconds_beside_fit(const Shape& part, const std::stop_token& cancel) const {
  RestoreOptions alone = resolved_.restore;
  alone.threads = 1;
  const Network network(*this, alone);
  const Shape window = chain_network(model_.unet, alone).sample;
  const Tensor x(window);
  const bool has_gradient = resolved_.consistency == Consistency::dps;
  const auto evaluate = [&] {
    network.get()->predict(x, 0, cancel);
    if (has_gradient && !cancel.stop_requested()) network.get()->gradient(x, 0, x);
  };
  evaluate();  // the first takes longer
  const Stopwatch watch;
  evaluate();
  const double evaluation = watch.read().seconds;
  const int timesteps = std::min(resolved_.steps, model_.scheduler.schedule.steps);
  return evaluation * timesteps * window_count(model_.unet, result_of(part), resolved_.overlap);
}

}  // namespace unmar
