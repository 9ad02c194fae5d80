#include "image/caption.h"

#include <fmt/format.h>

#include <memory>
#include <vips/vips8>

#include "image/vips_runtime.h"

namespace unmar::image {
namespace {

using vips::VImage;

VImage drawn(const std::string& text, int pixel_size, int width) {
  const std::unique_ptr<char, void (*)(void*)> markup(g_markup_escape_text(text.c_str(), -1),
                                                      g_free);
  const std::string font = fmt::format("sans {}", pixel_size);
  return VImage::text(markup.get(), VImage::option()
                                        ->set("font", font.c_str())
                                        ->set("dpi", 72)  // a point is a pixel
                                        ->set("width", width))
      .extract_band(0)
      .cast(VIPS_FORMAT_UCHAR)
      .copy_memory();
}

/// Without a font every letter is drawn as the same box.
bool has_font() {
  static const bool answer = [] {
    const VImage narrow = drawn("i", 20, 100), wide = drawn("W", 20, 100);
    return narrow.width() != wide.width();
  }();
  return answer;
}

}  // namespace

std::optional<Caption> draw_caption(const std::string& text, int pixel_size, int width) {
  if (text.empty() || !g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    return std::nullopt;
  }
  start_vips();
  try {
    if (!has_font()) return std::nullopt;
    const VImage ink = drawn(text, pixel_size, width);
    Caption caption{ink.height(), ink.width(), {}};
    const auto* samples = static_cast<const unsigned char*>(ink.data());
    caption.ink.resize(static_cast<std::size_t>(ink.height()) *
                       static_cast<std::size_t>(ink.width()));
    for (std::size_t i = 0; i < caption.ink.size(); ++i) {
      caption.ink[i] = static_cast<float>(samples[i]) / 255.f;
    }
    return caption;
  } catch (const vips::VError&) {
    take_vips_error();
    return std::nullopt;
  }
}

}  // namespace unmar::image
