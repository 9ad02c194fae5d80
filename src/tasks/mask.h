#pragma once

#include <memory>

#include "unmar/image/parts.h"
#include "unmar/tasks/tasks.h"

namespace unmar {

/// known_pixels(), or without a mask what the picture itself says: transparent pixels are to be
/// filled. throws as check_known().
Image mask_of(const Image& picture, const Image* mask, const RestoreOptions& resolved);

/// known_pixels() of a mask that is looked at in parts, and is borrowed. Its own black and white,
/// and what its alpha means, are taken from 4 million pixels spread over it, or all.
std::unique_ptr<PictureParts> known_by_mask(const PictureParts& mask,
                                            const RestoreOptions& resolved);
/// From the alpha of a picture, which is borrowed.
std::unique_ptr<PictureParts> known_by_alpha(const PictureParts& picture,
                                             const RestoreOptions& resolved);

/// given: there was a mask. throws Error{bad_input} for one of another size than the picture, and
/// if nothing is known or, Error{bad_argument} without a mask, nothing is to be filled.
void check_known(const PictureParts& known, const PictureParts& picture, bool given, bool invert);

}  // namespace unmar
