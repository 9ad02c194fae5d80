#include "tasks/fitted_tiles.h"

#include <algorithm>

#include "tasks/plan.h"
#include "tasks/task.h"
#include "unmar/tasks/tiles.h"

namespace unmar {
namespace {

/// Of quick's fits beside the filter, --method auto: half of the usual channels. That changes
/// little where the fit has a fifth of the weight (docs/results.md).
constexpr int kChannels = 32;
/// The fewer where the filter's result is what the fit starts from.
constexpr int kFromFilter = 200, kMostIterations = 400;
constexpr int kShortPatience = 60;
constexpr double kOnePiece = 200 * 200;  // px; beside the filter more is fitted in tiles

/// Holes are filled by the fit alone, so it keeps its size for other tasks than denoise.
bool is_beside_filter(Task task, const RestoreOptions& usual) {
  return task_spec(task).only_noise && usual.preset == Preset::quick &&
         usual.method == Method::automatic && usual.prior == FitPrior::dip;
}

/// Whether the filter's result as the network's input helps the fit. The filter takes correlated
/// noise for detail, and weak noise leaves more of that in the picture than in the filter's result,
/// which a fit finds by itself, above all a long one (docs/results.md).
bool helps_to_start(const NoiseModel& noise, bool is_long) {
  const double weak = (is_long ? 20. : 12.) / 255;
  return noise.kind == NoiseKind::poisson ||
         (noise.kind == NoiseKind::white && noise.sigma >= weak);
}

/// The least side of tiles that cover a length, no more of them than of kTileSide.
int side_for(int length, int overlap) {
  if (length <= kTileSide) return length;
  const int step = kTileSide - overlap, count = (length - overlap + step - 1) / step;
  return (length + (count - 1) * overlap + count - 1) / count;
}

}  // namespace

bool ends_soon(Task task, const RestoreOptions& usual) {
  return is_beside_filter(task, usual) && usual.stop == StopRule::automatic;
}

double share_known(const Image& part, const Image& known) {
  const auto& use = part.source.use;
  const std::size_t plane = known.count();
  std::size_t fewest = plane;
  for (std::size_t from = 0; from < part.count(); from += plane) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < plane; ++i)
      if (known.pixels()[i] >= 1.f && (!use || (*use)[from + i] == SampleUse::used)) ++count;
    fewest = std::min(fewest, count);
  }
  return static_cast<double>(fewest) / static_cast<double>(plane);
}

/// It starts near its end, and some tiles are past it soon (docs/results.md).
RestoreOptions suited_to_tiles(Task task, const RestoreOptions& given) {
  RestoreOptions suited = given;
  const RestoreOptions usual = resolve(task, given);
  const bool free = usual.preset != Preset::paper && usual.prior == FitPrior::dip;
  if (!free) return suited;
  const bool chosen = given.network || given.custom_network || given.channels || given.top_channels;
  const bool beside_filter = is_beside_filter(task, usual) && !chosen;
  if (beside_filter) suited.channels = kChannels;
  if (usual.stop != StopRule::none) {
    if (!given.iterations)
      suited.iterations = beside_filter ? kMostIterations : *usual.iterations / 3;
    if (!given.patience) suited.patience = kShortPatience;
  } else if (!given.iterations) {
    suited.iterations = *usual.iterations / 2;
  }
  return suited;
}

bool is_brief(const RestoreOptions& given, const Plan& plan, const RestoreOptions& resolved) {
  const Shape& y = plan.y.shape();
  const bool is_small = static_cast<double>(y.h) * y.w < kOnePiece;
  return (plan.tiles || is_small) && ends_soon(Task::denoise, resolved) && !given.iterations;
}

void suit_noise(const RestoreOptions& given, const NoiseModel& noise, bool is_brief,
                RestoreOptions& options) {
  if (options.input != InputKind::filtered) return;
  constexpr int kLong = 500;          // iterations
  constexpr double kJitter = 1. / 3;  // of sigma
  const bool is_long = !is_brief && *options.iterations > kLong;
  const bool is_white = noise.kind == NoiseKind::white;
  if (!given.input && !helps_to_start(noise, is_long))
    options.input = InputKind::uniform;
  else if (is_white && !given.reg_noise_std)
    options.reg_noise_std = std::max(*options.reg_noise_std, kJitter * noise.sigma);
  if (!is_brief || options.input != InputKind::filtered) return;
  options.iterations = std::min(*options.iterations, kFromFilter);
  if (!given.patience) options.patience = std::min(*options.patience, kShortPatience);
}

std::optional<TileGrid> fitted_tiles(Task task, int height, int width, const RestoreOptions& o) {
  const double pixels = static_cast<double>(height) * width;
  const bool meant = o.tile == "auto" && is_beside_filter(task, o) && o.runs == 1 &&
                     o.stop == StopRule::automatic && o.optimise == Optimise::weights &&
                     o.network == "skip" &&
                     (o.input == InputKind::uniform || o.input == InputKind::filtered);
  if (!meant || pixels < kOnePiece) return std::nullopt;
  constexpr int kMultiple = 8;
  const int least = std::max(side_for(height, kTileOverlap), side_for(width, kTileOverlap));
  const int side = (least + kMultiple - 1) / kMultiple * kMultiple;
  return TileGrid(height, width, side, kTileOverlap);
}

std::optional<TileGrid> fitted_tiles(Task task, const Image& observed, const RestoreOptions& o) {
  const auto grid = fitted_tiles(task, observed.height(), observed.width(), o);
  if (!grid) return grid;
  const Image all(1, grid->tile(0).height, grid->tile(0).width, 1.f);
  for (int k = 0; k < grid->count(); ++k) {
    const Rect r = grid->tile(k);
    if (share_known(crop(observed, r.y, r.x, r.height, r.width), all) < kLeastKnown)
      return std::nullopt;
  }
  return grid;
}

}  // namespace unmar
