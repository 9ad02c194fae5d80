#pragma once

#include <filesystem>
#include <memory>

#include "unmar/runs/request.h"
#include "unmar/tasks/tiles.h"

namespace unmar::runs {

/// The files of a request, looked at in parts.
struct TileSource {
  RestoreOptions options;                          ///< the request's, with the files that they name
  std::string mask_warning;                        ///< what was wrong with its file
  std::unique_ptr<PictureParts> mask, mask_known;  ///< of the whole file; with a mask
  std::unique_ptr<PictureParts> picture;
  std::unique_ptr<PictureParts> known;  ///< inpaint, else null
};

/// Bytes that a picture in parts takes at most, and the rows of a result while they are joined.
inline constexpr std::size_t kMostHeld = std::size_t{512} << 20;

/// folder: see open_parts(). throws as run() for files and options.
TileSource open_tiles(const FitRequest& request, const std::filesystem::path& folder);

}  // namespace unmar::runs
