#include <fmt/format.h>

#include "image/sample_range.h"
#include "unmar/image/image.h"

namespace unmar {

Image read_like(const Image& model, const std::filesystem::path& path, ReadOptions options) {
  if (read_image_info(path, options.page).format == model.source.format)
    options.fixed_range = model.source.range;
  return read_image(path, options);
}

Image read_mask(const std::filesystem::path& path, ReadOptions options) {
  options.range = RangeMode::full;
  return read_image(path, options);
}

std::string describe(const Image& image) {
  return fmt::format("{}x{} px, {}, {}", image.width(), image.height(),
                     image.channels() == 1 ? "gray" : "RGB", to_string(image.source.format));
}

std::string to_string(SampleFormat format) { return std::string(image::name_of(format)); }

}  // namespace unmar
