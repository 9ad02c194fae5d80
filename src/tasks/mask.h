#pragma once

#include "unmar/image/parts.h"
#include "unmar/tasks/tasks.h"

namespace unmar {

/// known_pixels(), or without a mask what the picture itself says: transparent pixels are to be
/// filled. throws Error{bad_input} for a mask of another size than the picture and if there is
/// nothing to fill.
Image mask_of(const PictureParts& picture, const Image* mask, const RestoreOptions& resolved);
Image mask_of(const Image& picture, const Image* mask, const RestoreOptions& resolved);

}  // namespace unmar
