#include "image/caption.h"

#include <fmt/format.h>
#include <memory>

#include <vips/vips8>

#include "image/vips_runtime.h"

namespace unmar::image {

std::optional<Caption> draw_caption(const std::string& text, int pixel_size, int width) {
  if (text.empty() || !g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    return std::nullopt;
  }
  start_vips();
  try {
    const std::unique_ptr<char, void (*)(void*)> markup(g_markup_escape_text(text.c_str(), -1),
                                                        g_free);
    const std::string font = fmt::format("sans {}", pixel_size);
    const vips::VImage ink = vips::VImage::text(markup.get(), vips::VImage::option()
                                                                  ->set("font", font.c_str())
                                                                  ->set("dpi", 72)  // points = px
                                                                  ->set("width", width))
                                 .extract_band(0)
                                 .cast(VIPS_FORMAT_UCHAR)
                                 .copy_memory();
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
