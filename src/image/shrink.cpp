#include <algorithm>
#include <cmath>
#include <vector>

#include <vips/vips8>

#include "base/fail.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {

using vips::VImage;

Image shrunk_to(const Image& image, int max_side) {
  if (image.empty() || max_side < 1)
    fail(ErrorCode::bad_argument, "shrunk_to: {}",
         image.empty() ? "the picture is empty" : "max_side must be 1 or more");
  if (image.channels() != 1 && image.channels() != 3) return shrunk_to(to_colours(image), max_side);
  Image small = clamped(image);
  for (float& value : small.pixels())
    if (std::isnan(value)) value = 0.f;
  const double scale = static_cast<double>(max_side) / std::max(image.width(), image.height());
  if (scale < 1) {
    image::start_vips();
    const auto side = [&](int old) {
      return std::max(1, static_cast<int>(std::lround(scale * old)));
    };
    const Image large = std::move(small);
    small = Image(image.channels(), side(image.height()), side(image.width()));
    for (int c = 0; c < image.channels(); ++c) {
      const auto plane = large.plane(c);
      const VImage resized =
          VImage::new_from_memory(const_cast<float*>(plane.data()), plane.size_bytes(),
                                  large.width(), large.height(), 1, VIPS_FORMAT_FLOAT)
              .resize(static_cast<double>(small.width()) / large.width(),
                      VImage::option()->set("vscale",
                                            static_cast<double>(small.height()) / large.height()))
              .copy_memory();
      if (resized.width() != small.width() || resized.height() != small.height())
        fail(ErrorCode::too_large, "shrunk_to: {}x{} px cannot be scaled to {}", large.width(),
             large.height(), max_side);
      const auto* data = static_cast<const float*>(resized.data());
      std::ranges::transform(data, data + small.plane(c).size(), small.plane(c).begin(),
                             [](float v) { return std::clamp(v, 0.f, 1.f); });
    }
  }
  small.source = ImageSource();
  small.source.icc_profile = image.source.icc_profile;
  return small;
}

}  // namespace unmar
