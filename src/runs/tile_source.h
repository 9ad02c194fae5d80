#pragma once

#include <memory>

#include "unmar/runs/request.h"
#include "unmar/tasks/tiles.h"

namespace unmar::runs {

/// The files of a request, looked at in parts.
struct TileSource {
  RestoreOptions options;  ///< the request's, with the files that they name
  std::unique_ptr<PictureParts> picture;
  std::unique_ptr<PictureParts> known;             ///< inpaint, else null
  std::unique_ptr<const Image> input, held_known;  ///< what the two above are of
};

/// throws as run() for files and options.
TileSource open_tiles(const FitRequest& request);

}  // namespace unmar::runs
