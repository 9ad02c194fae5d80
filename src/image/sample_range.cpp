#include "image/sample_range.h"

#include <algorithm>
#include <cmath>

namespace unmar::image {
namespace {

// Below this share of the format a picture would be nearly black: 12 bits in 16, a dim exposure.
constexpr double kLeastShare = 0.25;

}  // namespace

std::string_view name_of(SampleFormat format) {
  switch (format) {
    case SampleFormat::u8:
      return "8 bit";
    case SampleFormat::u16:
      return "16 bit";
    case SampleFormat::f32:
      return "float";
  }
  return "?";
}

ValueRange full_range(SampleFormat format) {
  switch (format) {
    case SampleFormat::u8:
      return {0, 255};
    case SampleFormat::u16:
      return {0, 65535};
    case SampleFormat::f32:
      return {0, 1};
  }
  return {};
}

ValueRange choose_range(RangeMode mode, SampleFormat format, Extent data) {
  const ValueRange full = full_range(format);
  if (mode == RangeMode::full) return full;
  const bool within = data.low >= full.black && data.high <= full.white;
  if (mode == RangeMode::automatic && within) {
    const double share = (data.high - data.low) / (full.white - full.black);
    if (format == SampleFormat::u8 || share >= kLeastShare) return full;
  }
  if (data.high > data.low) return {data.low, data.high};
  return within ? full : ValueRange{data.low, data.low + std::max(1.0, std::abs(data.low))};
}

ValueRange range_to_write(const ImageSource& source, SampleFormat target) {
  if (target == source.format) return source.range;
  const bool units_fit = target == SampleFormat::f32 && source.range != full_range(source.format);
  return units_fit ? source.range : full_range(target);
}

}  // namespace unmar::image
