#pragma once

#include <string_view>

#include "unmar/image/image.h"

namespace unmar::image {

std::string_view name_of(SampleFormat format);

/// {0, 255}, {0, 65535} or {0, 1}.
ValueRange full_range(SampleFormat format);

/// The value of an opaque pixel's alpha.
double opaque_value(const ImageSource& source);

/// The smallest and largest sample of a file, in its own units.
struct Extent {
  double low = 0, high = 0;
};

/// Which values become 0 and 1: see RangeMode. A constant picture has no range of its own and
/// gets the full one if it lies within, else one that makes it black.
ValueRange choose_range(RangeMode mode, SampleFormat format, Extent data);

/// The values that 0 and 1 become in a file with samples of format `target`: see write_image.
ValueRange range_to_write(const ImageSource& source, int channel, SampleFormat target);

}  // namespace unmar::image
