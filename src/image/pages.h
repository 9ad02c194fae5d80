#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "image/file_kind.h"

namespace unmar::image {

/// Where a page (from 1 on) is in its file: the directory of TIFF, the frame, the header of FITS,
/// from 0 on. throws Error{bad_argument} if there is none, and what libvips throws.
int place_of_page(std::string_view where, FileKind kind, const std::filesystem::path& path,
                  int page);

/// Of an animation; empty and 0 of other files.
struct FrameTimes {
  std::vector<int> milliseconds;
  int loop = 0;  ///< how often it is shown; 0: for ever
};
FrameTimes times_of(FileKind kind, const std::filesystem::path& path);

}  // namespace unmar::image
