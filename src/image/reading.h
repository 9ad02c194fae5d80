#pragma once

#include <filesystem>

#include <vips/vips8>

#include "base/fail.h"
#include "image/vips_runtime.h"

namespace unmar::image {

/// Runs body, whose libvips errors mean that the file is broken.
template <class Body>
auto reading(const std::filesystem::path& path, Body body) {
  try {
    return body();
  } catch (const vips::VError&) {
    fail(ErrorCode::bad_input, "read_image: '{}' is damaged, cut short or of an unusual kind ({})",
         path.string(), take_vips_error());
  }
}

}  // namespace unmar::image
