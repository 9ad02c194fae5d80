#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>

#include <vips/vips8>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

using namespace unmar::image;
using vips::VImage;

constexpr std::string_view kWriteAnimation = "write_animation";
constexpr int kQuality = 90;     // of WebP
constexpr int kLongest = 16383;  // px; WebP

bool is_gif(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension != ".gif" && extension != ".webp")
    fail(ErrorCode::bad_argument, "{}: '{}' is no animation; use .gif or .webp", kWriteAnimation,
         path.string());
  return extension == ".gif";
}

void check(const std::vector<Image>& frames, const std::vector<int>& milliseconds) {
  if (frames.empty() || frames.size() != milliseconds.size())
    fail(ErrorCode::bad_argument, "{}: {} pictures and {} times; give as many, at least one",
         kWriteAnimation, frames.size(), milliseconds.size());
  for (const Image& frame : frames)
    if (frame.empty() || !frame.same_size(frames[0]) || frame.width() > kLongest ||
        frame.height() > kLongest)
      fail(ErrorCode::bad_argument,
           "{}: the pictures must be of one size and kind, at most {} px on a side",
           kWriteAnimation, kLongest);
  for (const int time : milliseconds)
    if (time < 10)
      fail(ErrorCode::bad_argument, "{}: a picture is shown for {} ms; give at least 10",
           kWriteAnimation, time);
}

/// One below the other, as libvips wants the pages of an animation.
std::vector<std::uint8_t> stacked(const std::vector<Image>& frames) {
  const auto bands = static_cast<std::size_t>(frames[0].channels());
  const std::size_t count = frames[0].plane(0).size();
  std::vector<std::uint8_t> samples(frames.size() * count * bands);
  for (std::size_t f = 0; f < frames.size(); ++f)
    for (std::size_t c = 0; c < bands; ++c) {
      const auto plane = frames[f].plane(static_cast<int>(c));
      for (std::size_t i = 0; i < count; ++i) {
        const float value = plane[i] > 0.f ? std::min(plane[i], 1.f) : 0.f;  // NaN is black
        samples[(f * count + i) * bands + c] =
            static_cast<std::uint8_t>(std::lround(255.f * value));
      }
    }
  return samples;
}

}  // namespace

void write_animation(const std::filesystem::path& path, const std::vector<Image>& frames,
                     const std::vector<int>& milliseconds) {
  const bool gif = is_gif(path);
  check(frames, milliseconds);
  start_vips();
  TemporaryFile file(kWriteAnimation, path);
  std::vector<std::uint8_t> samples = stacked(frames);
  const Image& first = frames[0];
  try {
    VImage pages = VImage::new_from_memory(samples.data(), samples.size(), first.width(),
                                           first.height() * static_cast<int>(frames.size()),
                                           first.channels(), VIPS_FORMAT_UCHAR)
                       .copy(VImage::option()->set(
                           "interpretation", first.channels() == 1 ? VIPS_INTERPRETATION_B_W
                                                                   : VIPS_INTERPRETATION_sRGB));
    pages.set("page-height", first.height());
    pages.set("loop", 0);  // for ever
    pages.set("delay", milliseconds);
    VipsBlob* blob =
        gif ? pages.gifsave_buffer() : pages.webpsave_buffer(VImage::option()->set("Q", kQuality));
    const std::unique_ptr<VipsArea, void (*)(VipsArea*)> owner(VIPS_AREA(blob), vips_area_unref);
    std::size_t size = 0;
    const auto* data = static_cast<const std::byte*>(vips_blob_get(blob, &size));
    file.write({data, size});
  } catch (const vips::VError&) {
    fail(ErrorCode::io, "{}: cannot write '{}' ({}); is the disk full?", kWriteAnimation,
         path.string(), take_vips_error());
  }
  file.commit();
}

}  // namespace unmar
