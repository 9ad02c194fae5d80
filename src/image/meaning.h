#pragma once

#include <filesystem>
#include <optional>

#include "image/file_kind.h"

namespace vips {
class VImage;
}

namespace unmar::image {

/// What the samples of a file mean, which their number does not say.
struct Meaning {
  bool has_alpha = false;            ///< the last one of a pixel
  bool multiplied = false;           ///< alpha is, into the colours
  bool begins_with_rgb = false;      ///< and has data behind that
  std::optional<double> blank = {};  ///< the value of samples that were not measured
};

/// pixels: as they were loaded from `place`.
Meaning meaning_of(FileKind kind, const std::filesystem::path& path, int place,
                   const vips::VImage& pixels);

}  // namespace unmar::image
