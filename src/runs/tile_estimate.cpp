#include "runs/tile_estimate.h"

#include <algorithm>

#include "runs/tile_source.h"
#include "unmar/base/error.h"
#include "unmar/base/process.h"
#include "unmar/runs/job_list.h"

namespace unmar {
namespace runs {
namespace {

constexpr int kIterations = 4;  ///< behind the first, which takes longer

/// One tile, until it was seen how long its iterations take.
class Trial {
 public:
  explicit Trial(const std::stop_token& stop) : outer_(stop, [this] { inner_.request_stop(); }) {}

  /// False if there is nothing to restore.
  bool run(const Tiling& tiling, const TileStart& start, int tile) {
    RestoreContext context;
    context.on_start = [this](const Restored& begun) { options_ = begun.options; };
    context.cancel = inner_.get_token();
    context.on_iteration = [this](const FitProgress& progress) {
      if (progress.row.iteration == 0) first_ = progress.seconds;
      last_ = progress.seconds;
      more_ = progress.row.iteration;
      if (progress.row.iteration == kIterations) inner_.request_stop();
    };
    const auto begun = Clock::now();
    const bool has_work = tiling.restore(tile, start, context, 1).has_value();
    beside_fit_ = seconds_since(begun) - last_;
    return has_work;
  }
  /// Seconds of a fit of so many iterations.
  double fit(double iterations) const {
    return first_ + (more_ > 0 ? (last_ - first_) / more_ * (iterations - 1) : 0);
  }
  double beside_fit() const { return beside_fit_; }  ///< the filter, and what it takes to begin
  const RestoreOptions& options() const { return options_; }  ///< as the noise made them

 private:
  std::stop_source inner_;
  std::stop_callback<std::function<void()>> outer_;
  RestoreOptions options_;
  double first_ = 0, last_ = 0, beside_fit_ = 0;
  int more_ = 0;  ///< iterations behind the first
};

double core_seconds_of(const Trial& trial) {
  const RestoreOptions& options = trial.options();
  if (options.method == Method::patches) return trial.beside_fit();
  const double share = options.stop == StopRule::none ? 1 : 0.9;  // of the iterations, as a rule
  // Behind the fit the filter runs once more, and two steps like it.
  const int filters = options.method == Method::automatic ? 4 : 1;
  return trial.fit(share * most_iterations(options)) + filters * trial.beside_fit();
}

}  // namespace

std::size_t held_in_tiles(const Shape& picture) {
  constexpr std::size_t kHeld = 16;  // bytes of a value, in and out
  return std::min(kMostHeld, kHeld * picture.count());
}

TileEstimate estimate_of(const Tiling& tiling, const PictureParts& picture,
                         const std::stop_token& stop) {
  TileEstimate estimate{
      .tiles = tiling.grid().count(),
      .core_seconds = 0,
      .memory = tiling.memory_needed(),
      .picture = held_in_tiles({1, picture.channels(), picture.height(), picture.width()})};
  if (const TileRestorer* restorer = tiling.restorer()) {
    const Rect tile = tiling.grid().tile(0);
    const double beside =
        restorer->seconds_beside_fit({1, picture.channels(), tile.height, tile.width}, stop);
    if (restorer->has_fit()) estimate = estimate_of(tiling.fits_alone(), picture, stop);
    estimate.core_seconds += beside;
    estimate.memory = tiling.memory_needed();
    estimate.picture += restorer->shared_memory();
    return estimate;
  }
  TileStart start;
  for (int k = 0; k < estimate.tiles && !stop.stop_requested(); ++k) {
    Trial trial(stop);
    try {
      if (!start.noise) start.noise = tiling.noise();
      if (!trial.run(tiling, start, (estimate.tiles / 2 + k) % estimate.tiles)) continue;
    } catch (const Error&) {
      break;  // the run itself will say so
    }
    estimate.core_seconds = core_seconds_of(trial);
    break;
  }
  return estimate;
}

TileEstimate estimate_tile(const FitRequest& request, const TileRestorer* restorer) {
  const TileSource source = open_tiles(request, std::filesystem::temp_directory_path());
  const Tiling tiling(request.task, *source.picture, source.known.get(), source.options, restorer);
  return estimate_of(tiling, *source.picture);
}

}  // namespace runs

TileEstimate estimate_tile(const FitRequest& request) {
  return runs::estimate_tile(request, nullptr);
}

}  // namespace unmar
