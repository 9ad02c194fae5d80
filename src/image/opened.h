#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <vips/vips8>

#include "image/file_kind.h"
#include "image/meaning.h"

namespace unmar::image {

inline constexpr std::string_view kReadImage = "read_image";

/// Opened, not decoded.
struct Opened {
  int place = 0;        ///< of the page in the file, from 0 on
  vips::VImage opened;  ///< as it came, for its metadata
  vips::VImage pixels;  ///< gray or RGB, perhaps with alpha
  int channels = 0;     ///< beside alpha
  Meaning meaning;
  bool turned = false;  ///< width and height swap when EXIF orientation is applied
  SampleFormat format = SampleFormat::u8;
  std::string unread;  ///< what is in the file and nobody reads; empty: nothing
};

/// page: from 1 on. lenient: takes what there is of a file that ends too soon. throws
/// vips::VError, and Error as read_image().
Opened open_picture(FileKind kind, const std::filesystem::path& path, int page,
                    double max_megapixels, bool lenient = false);

OtherNumbers numbers_of(const vips::VImage& pixels);

/// Empty: there is none that suits so many channels.
std::vector<std::byte> profile_of(const vips::VImage& pixels, int channels);

}  // namespace unmar::image
