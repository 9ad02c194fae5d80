#pragma once

#include <filesystem>
#include <functional>

#include <vips/vips8>

#include "image/containers.h"
#include "image/metadata.h"

namespace unmar::image {

/// One header and its data. Bands become planes.
/// Rows go from the bottom upwards, unless the metadata say ROWORDER = 'TOP-DOWN'.
/// primary: at the start of a file; else an image extension.
void write_fits_hdu(const vips::VImage& pixels, const Metadata& metadata, bool primary,
                    bool extensions_follow, const Sink& sink);

/// A file of `count` pictures, each of which `picture` hands to the sink. Where `like` is a FITS
/// file of as many they stand in the places of those, and its tables come along, unless strip.
void write_fits_like(const std::filesystem::path& like, std::size_t count, bool strip,
                     const Sink& sink, const std::function<void(bool primary, bool more)>& picture);

}  // namespace unmar::image
