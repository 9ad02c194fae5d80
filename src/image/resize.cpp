#include <algorithm>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

using vips::VImage;
constexpr int kLargestSide = 65536;

}  // namespace

Image resized(const Image& image, int height, int width) {
  if (image.empty()) fail(ErrorCode::bad_argument, "resized: the picture is empty");
  if (height < 1 || width < 1 || height > kLargestSide || width > kLargestSide)
    fail(ErrorCode::bad_argument, "resized: sides must be 1 to {} px, got {}x{}", kLargestSide,
         width, height);
  if (height == image.height() && width == image.width()) {
    Image same = clamped(image);
    same.source.alpha.clear();
    return same;
  }
  image::start_vips();
  Image result(image.channels(), height, width);
  result.source = image.source;
  result.source.forget_samples();
  result.source.alpha.clear();
  try {
    for (int c = 0; c < image.channels(); ++c) {
      const auto from = image.plane(c);
      // libvips only reads it; its older versions do not say so.
      auto* data = const_cast<float*>(from.data());
      const VImage plane =
          VImage::new_from_memory(data, from.size_bytes(), image.width(), image.height(), 1,
                                  VIPS_FORMAT_FLOAT)
              .resize(static_cast<double>(width) / image.width(),
                      VImage::option()
                          ->set("vscale", static_cast<double>(height) / image.height())
                          ->set("kernel", VIPS_KERNEL_LANCZOS3))
              .copy_memory();
      if (plane.width() != width || plane.height() != height)
        fail(ErrorCode::unsupported, "resized: libvips made {}x{} px of {}x{}, not {}x{}",
             plane.width(), plane.height(), image.width(), image.height(), width, height);
      const auto* values = static_cast<const float*>(plane.data());
      std::ranges::transform(values, values + result.plane(c).size(), result.plane(c).begin(),
                             [](float v) { return std::clamp(v, 0.f, 1.f); });
    }
  } catch (const vips::VError&) {
    fail(ErrorCode::unsupported, "resized: cannot make {}x{} px of {}x{}: {}", width, height,
         image.width(), image.height(), image::take_vips_error());
  }
  return result;
}

}  // namespace unmar
