#pragma once

#include <optional>

#include "unmar/tasks/tasks.h"
#include "unmar/tensor/tiles.h"

namespace unmar {

struct Plan;

constexpr int kWarmUpIterations = 75;  ///< of the fit, in the middle, that all tiles start from
constexpr int kTileAttempts = 3;       ///< at a fit that diverges, each with a seed of its own

constexpr int kTileSide = 160;  ///< px of the result
/// Share of a tile's side that it has in common with its neighbour.
constexpr int kOverlapShare = 8;
constexpr int kTileOverlap = kTileSide / kOverlapShare;  ///< px
/// Of the part that a tile is restored in, at least.
constexpr double kLeastKnown = 0.1;

/// Of the values of a part, in the channel with the fewest.
double share_known(const Image& part, const Image& known);

/// The tiles that the fit of a restoration goes through, one after the other. Beside the filter
/// that takes a third of the time of one fit of the whole, and is as good (docs/results.md).
/// Nothing: the picture is fitted as one piece, for it is small, or in one of the tiles hardly
/// anything is known, or the options mean something else.
std::optional<TileGrid> fitted_tiles(Task task, const Image& observed,
                                     const RestoreOptions& resolved);
/// The same of a picture of this size in which all is known.
std::optional<TileGrid> fitted_tiles(Task task, int height, int width,
                                     const RestoreOptions& resolved);

/// The options as tiles want them, where the user did not choose.
RestoreOptions suited_to_tiles(Task task, const RestoreOptions& given);

/// Whether a fit beside the filter may be cut short: other rules than `auto` look for longer.
bool ends_soon(Task task, const RestoreOptions& usual);
/// Whether a fit beside the filter is one that starts near its end, and ends by itself: it goes
/// through tiles, or the picture is small; nor did the user say how long it is.
bool is_brief(const RestoreOptions& given, const Plan& plan, const RestoreOptions& resolved);
/// What the noise decides of a fit beside the filter, where the user did not: whether the filter's
/// result is the network's input, how long a brief fit is, and how strong the jitter.
void suit_noise(const RestoreOptions& given, const NoiseModel& noise, bool is_brief,
                RestoreOptions& options);

}  // namespace unmar
