#pragma once

#include <string>

namespace unmar::image {

/// Starts libvips at the first call: one thread, nothing cached, nothing printed. Thread-safe.
void start_vips();

/// What libvips says went wrong, as one short line; empties its error buffer.
/// throws Error{too_large} if it is that memory does not suffice.
std::string take_vips_error();

}  // namespace unmar::image
