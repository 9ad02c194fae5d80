#pragma once

#include <optional>
#include <string>
#include <vector>

namespace unmar::image {

/// Text as ink: 0 none, 1 full.
struct Caption {
  int height = 0, width = 0;
  std::vector<float> ink;
};

/// Draws plain text in lines of at most `width` px. Nothing if it cannot be drawn, for example
/// because the machine has no font: captions are a courtesy and never an error.
std::optional<Caption> draw_caption(const std::string& text, int pixel_size, int width);

}  // namespace unmar::image
