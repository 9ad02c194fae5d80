#pragma once

#include <filesystem>
#include <optional>

#include <vips/vips8>

#include "image/tiff_tags.h"

namespace unmar::image {

/// Page `place` of a TIFF file that libvips refuses or does not read as it is meant: doubles,
/// halves (as floats), 12 bits (as 16), gray and data in planes, and colours that are multiplied by
/// alpha, which stay so.
/// Nothing for all others. throws vips::VError.
std::optional<vips::VImage> load_unusual_tiff(const std::filesystem::path& path, int place,
                                              VipsFailOn fail_on);

/// Page `place`, from 1 on, of such a stack: what stands before the pixels, which are those of that
/// page. throws vips::VError.
vips::VImage load_stack_page(const std::filesystem::path& path, const RawStack& stack, int place,
                             VipsFailOn fail_on);

}  // namespace unmar::image
