#include <fmt/format.h>

#include <algorithm>

#include "image/sample_range.h"
#include "unmar/image/image.h"

namespace unmar {

namespace {

using image::full_range;

/// Whether float samples look like shares of a range rather than numbers of a file of integers.
bool are_shares(const Image& floats) {
  constexpr float kLow = -0.5f, kHigh = 1.5f;  // room for noise
  return std::ranges::all_of(floats.pixels(), [](float v) { return v >= kLow && v <= kHigh; });
}

/// Whether 16 bits hold no more than numbers of 8 bits.
bool fit_eight_bits(const Image& sixteen) {
  constexpr float kMost = 255.5f / 65535.f;
  return std::ranges::all_of(sixteen.pixels(), [](float v) { return v < kMost; });
}

/// The range in which a file of `format` holds the numbers of `model`. in_full: that file in the
/// whole range of its format, read only if need be.
template <class InFull>
ValueRange range_like(const ImageSource& model, SampleFormat format, InFull in_full) {
  const ValueRange full = full_range(format), model_full = full_range(model.format);
  if (format == model.format) return model.range;
  if (format == SampleFormat::f32) return are_shares(in_full()) ? full : model.range;
  // Our own writing gives [0,1] the whole of an integer format, and so do other programs.
  if (model.range != model_full && model.range.white <= full.white) return model.range;
  const bool small = model.format == SampleFormat::u8 && fit_eight_bits(in_full());
  return small ? model_full : full;
}

}  // namespace

Image read_like(const Image& model, const std::filesystem::path& path, ReadOptions options) {
  const SampleFormat format = read_image_info(path, options.page).format;
  options.percentiles.reset();
  options.channel_ranges = model.source.channel_ranges;
  options.fixed_range.reset();
  options.range = RangeMode::full;
  options.fixed_range = range_like(model.source, format, [&] { return read_image(path, options); });
  return read_image(path, options);
}

ReadOptions mask_reading(const ReadOptions& options) {
  return {.max_megapixels = options.max_megapixels,
          .page = options.page,
          .range = RangeMode::full,
          .region = options.region};
}

Image read_mask(const std::filesystem::path& path, const ReadOptions& options) {
  return read_image(path, mask_reading(options));
}

std::string describe(const ImageFacts& picture) {
  return fmt::format("{}x{} px, {}, {}", picture.width, picture.height,
                     picture.channels == 1   ? "gray"
                     : picture.channels == 3 ? "RGB"
                                             : fmt::format("{} channels", picture.channels),
                     to_string(picture.source));
}

std::string to_string(const ImageSource& source) {
  switch (source.format == SampleFormat::f32 ? source.numbers : OtherNumbers::none) {
    case OtherNumbers::i8:
      return "8 bit, signed";
    case OtherNumbers::i16:
      return "16 bit, signed";
    case OtherNumbers::u32:
      return "32 bit";
    case OtherNumbers::i32:
      return "32 bit, signed";
    case OtherNumbers::f64:
      return "double";
    case OtherNumbers::none:
      break;
  }
  return to_string(source.format);
}

std::string describe(const Image& image) { return describe(facts_of(image)); }

std::string to_string(SampleFormat format) { return std::string(image::name_of(format)); }

}  // namespace unmar
