#pragma once

#include <string>

#include <vips/vips8>

#include "image/metadata.h"

namespace unmar::image {

/// One header and its data. pixels: 8 or 16 bit unsigned or float, in memory; bands become planes.
/// Rows go from the bottom upwards, unless the metadata say ROWORDER = 'TOP-DOWN'.
/// primary: at the start of a file; else an image extension.
std::string fits_hdu(const vips::VImage& pixels, const Metadata& metadata, bool primary,
                     bool extensions_follow = false);

}  // namespace unmar::image
