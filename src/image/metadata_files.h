#pragma once

#include <filesystem>
#include <string>

#include <vips/vips8>

#include "image/containers.h"
#include "image/file_kind.h"
#include "image/metadata.h"

/// Metadata from files and back.
namespace unmar::image {

/// Of an opened picture, of its page `page` (from 0 on). Null: there is none.
SharedMetadata read_metadata(const vips::VImage& opened, FileKind kind,
                             const std::filesystem::path& path, int page);

/// With the fields that libvips writes itself.
vips::VImage with_fields(const vips::VImage& pixels, FileKind kind, const Metadata& metadata);

/// The tags of a TIFF file, or of EXIF in another, of this picture.
std::vector<Tag> tags_to_write(const Metadata& metadata, FileKind kind, int width, int height);

/// What libvips encoded, with everything that it does not write itself. Neither TIFF nor FITS.
void write_with_metadata(std::string_view encoded, FileKind kind, const Metadata& metadata,
                         int width, int height, const Sink& sink);

}  // namespace unmar::image
