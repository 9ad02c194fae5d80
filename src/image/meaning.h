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
  std::optional<double> blank = {};  ///< the value of samples that were not measured
};

/// pixels: as they were loaded.
Meaning meaning_of(FileKind kind, const std::filesystem::path& path, const vips::VImage& pixels);

}  // namespace unmar::image
