#pragma once

#include <optional>

#include "unmar/tasks/tasks.h"
#include "unmar/tensor/tiles.h"

namespace unmar {

constexpr int kWarmUpIterations = 75;  ///< of the fit, in the middle, that all tiles start from
constexpr int kTileAttempts = 3;       ///< at a fit that diverges, each with a seed of its own

constexpr double kOnePiece = 200 * 200;  ///< px; beside the filter more is fitted in tiles
constexpr int kShortPatience = 60;       ///< of fits that start near their end

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

/// Whether the filter's result helps the fit if it is the network's input. The filter takes
/// correlated noise for detail, and weak noise leaves more of that in the picture than in the
/// filter's result, which a fit finds by itself, above all if it is long (docs/results.md).
bool starts_from_filter(const NoiseModel& noise, bool is_long);
/// Iterations that a tile's fit beside the filter needs.
int tile_iterations(const NoiseModel& noise);

}  // namespace unmar
