#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <vips/vips8>

#include "base/fail.h"
#include "image/caption.h"
#include "image/vips_runtime.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

using image::Caption;
using vips::VImage;

constexpr int kGap = 8;                               // px between panels and around the sheet
constexpr int kCaptionGap = 4;                        // px between a picture and its caption
constexpr int kSmallestText = 10, kLargestText = 24;  // px
constexpr int kTextShare = 18;                        // panel height / text size
constexpr float kInk = 0.87f;                         // dark gray on white
constexpr int kWidestPanel = 16;  // times its height; a strip of one row would fill any memory

/// As an RGB picture of the given height.
Image scaled(const Image& image, int height) {
  const double scale = static_cast<double>(height) / image.height();
  const int width =
      std::clamp(static_cast<int>(std::lround(scale * image.width())), 1, kWidestPanel * height);
  std::vector<std::uint8_t> samples(image.plane(0).size() * 3);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto plane = image.plane(image.channels() == 3 ? static_cast<int>(c) : 0);
    for (std::size_t i = 0; i < plane.size(); ++i) {
      const float value = plane[i] > 0.f ? std::min(plane[i], 1.f) : 0.f;  // NaN is black
      samples[i * 3 + c] = static_cast<std::uint8_t>(std::lround(255.f * value));
    }
  }
  const VImage resized =
      VImage::new_from_memory(samples.data(), samples.size(), image.width(), image.height(), 3,
                              VIPS_FORMAT_UCHAR)
          .resize(static_cast<double>(width) / image.width(),
                  VImage::option()
                      ->set("vscale", scale)
                      ->set("kernel", scale > 1 ? VIPS_KERNEL_NEAREST : VIPS_KERNEL_LANCZOS3))
          .copy_memory();
  Image result(3, resized.height(), resized.width());
  const auto* data = static_cast<const std::uint8_t*>(resized.data());
  for (std::size_t c = 0; c < 3; ++c) {
    const auto plane = result.plane(static_cast<int>(c));
    for (std::size_t i = 0; i < plane.size(); ++i)
      plane[i] = static_cast<float>(data[i * 3 + c]) / 255.f;
  }
  return result;
}

struct Cell {
  Image picture;
  std::optional<Caption> caption;
};

void paste(Image& sheet, const Cell& cell, int y0, int x0, int panel_height) {
  const Image& picture = cell.picture;
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < picture.height(); ++y) {
      for (int x = 0; x < picture.width(); ++x) sheet.at(c, y0 + y, x0 + x) = picture.at(c, y, x);
    }
  }
  if (!cell.caption) return;
  const int top = y0 + panel_height + kCaptionGap;
  // One long word can be wider than the panel.
  const int width = std::min(cell.caption->width, sheet.width() - x0);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < cell.caption->height; ++y) {
      const float* ink =
          cell.caption->ink.data() + static_cast<std::ptrdiff_t>(y) * cell.caption->width;
      for (int x = 0; x < width; ++x) {
        float& value = sheet.at(c, top + y, x0 + x);
        value = std::min(value, 1.f - kInk * ink[x]);
      }
    }
  }
}

std::vector<std::vector<Cell>> make_cells(const std::vector<std::vector<Panel>>& rows, int height) {
  const int text_size = std::clamp(height / kTextShare, kSmallestText, kLargestText);
  std::vector<std::vector<Cell>> cells;
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    for (const Panel& panel : row) {
      if (panel.image == nullptr || panel.image->empty()) {
        fail(ErrorCode::bad_argument, "contact_sheet: the panel '{}' has no picture",
             panel.caption);
      }
      Cell cell{scaled(*panel.image, height), std::nullopt};
      cell.caption =
          image::draw_caption(panel.caption, text_size, std::max(cell.picture.width(), height / 2));
      line.push_back(std::move(cell));
    }
  }
  return cells;
}

}  // namespace

Image contact_sheet(const std::vector<std::vector<Panel>>& rows, int panel_height) {
  if (panel_height < 1 || panel_height > 4096) {
    fail(ErrorCode::bad_argument, "contact_sheet: panel_height must be 1 to 4096, got {}",
         panel_height);
  }
  image::start_vips();
  const auto cells = make_cells(rows, panel_height);
  std::vector<int> column_widths, row_heights;
  for (const auto& line : cells) {
    int caption_height = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i == column_widths.size()) column_widths.push_back(0);
      const auto& [picture, caption] = line[i];
      column_widths[i] =
          std::max({column_widths[i], picture.width(), caption ? caption->width : 0});
      if (caption) caption_height = std::max(caption_height, kCaptionGap + caption->height);
    }
    row_heights.push_back(panel_height + caption_height);
  }
  if (column_widths.empty()) fail(ErrorCode::bad_argument, "contact_sheet: there are no panels");
  int width = kGap, height = kGap;
  for (const int column : column_widths) width += column + kGap;
  for (const int row : row_heights) height += row + kGap;

  Image sheet(3, height, width, 1.f);
  int y = kGap;
  for (std::size_t row = 0; row < cells.size(); ++row) {
    int x = kGap;
    for (std::size_t i = 0; i < cells[row].size(); ++i) {
      paste(sheet, cells[row][i], y, x, panel_height);
      x += column_widths[i] + kGap;
    }
    y += row_heights[row] + kGap;
  }
  return sheet;
}

}  // namespace unmar
