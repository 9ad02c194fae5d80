#pragma once

#include <memory>
#include <string_view>

#include "unmar/tensor/tiles.h"

/// What a file tells beside its pixels: resolution, EXIF, XMP, IPTC, texts of PNG, tags of TIFF
/// (the descriptions of OME and ImageJ among them), keywords of FITS. Pictures carry it on in
/// ImageSource, and a file that is written gets as much of it as its type can hold.
namespace unmar {

struct Metadata;  ///< opaque; never changed once it is shared
using SharedMetadata = std::shared_ptr<const Metadata>;  ///< null: nothing is told

/// Of a picture that was enlarged `factor` times (below 1: made smaller): resolution, pixel sizes
/// and world coordinates (FITS, GeoTIFF, OME-XML) adapted, what cannot be adapted left out.
SharedMetadata rescaled(const SharedMetadata& metadata, double factor);

/// Of a part of a picture that has so many rows: world coordinates and sizes adapted.
SharedMetadata cropped(const SharedMetadata& metadata, const Rect& part, int height);

/// With a line that says what made the picture: Software in EXIF, TIFF and PNG, behind what stood
/// there; HISTORY in FITS. `line`: plain ASCII.
SharedMetadata with_provenance(const SharedMetadata& metadata, std::string_view line);

/// Of some pages of a file, alone in another: what ImageJ and OME tell of their number is adapted.
SharedMetadata for_pages(const SharedMetadata& metadata, int pages);

}  // namespace unmar
