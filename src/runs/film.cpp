#include "unmar/runs/film.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kMostPixels = 512;  ///< on a side
constexpr int kStripHeight = 224, kStripColumns = 6;
constexpr int kFrameTime = 200, kLastFrameTime = 2500;  // ms

std::string extension_of(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool is_animation(const fs::path& path) {
  return extension_of(path) == ".gif" || extension_of(path) == ".webp";
}

/// White below and to the right.
Image padded(const Image& image, int height, int width) {
  Image large(image.channels(), height, width, 1.f);
  for (int c = 0; c < image.channels(); ++c)
    for (int y = 0; y < image.height(); ++y)
      for (int x = 0; x < image.width(); ++x) large.at(c, y, x) = image.at(c, y, x);
  return large;
}

void write_frames(const fs::path& path, const std::vector<Panel>& panels) {
  std::vector<Image> frames;
  int height = 0, width = 0;
  for (const Panel& panel : panels) {
    frames.push_back(contact_sheet({{panel}}, panel.image->height()));
    height = std::max(height, frames.back().height());
    width = std::max(width, frames.back().width());
  }
  for (Image& frame : frames) frame = padded(frame, height, width);
  std::vector<int> times(frames.size(), kFrameTime);
  times.back() = kLastFrameTime;
  write_animation(path, frames, times);
}

void write_strip(const fs::path& path, const std::vector<Panel>& panels) {
  std::vector<std::vector<Panel>> rows;
  for (std::size_t i = 0; i < panels.size(); ++i) {
    if (i % kStripColumns == 0) rows.emplace_back();
    rows.back().push_back(panels[i]);
  }
  write_image(path, contact_sheet(rows, kStripHeight));
}

}  // namespace

bool Film::is_meant_by(const fs::path& path) {
  constexpr std::string_view kTypes[] = {".gif", ".webp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"};
  std::error_code error;
  return std::ranges::find(kTypes, extension_of(path)) != std::end(kTypes) &&
         !fs::is_directory(path, error);
}

void Film::Frame::serialize(Archive& archive) {
  archive(caption, channels, height, width, samples);
  archive.require((channels == 1 || channels == 3) && height > 0 && width > 0 &&
                      height <= kMostPixels && width <= kMostPixels &&
                      samples.size() == static_cast<std::size_t>(channels) *
                                            static_cast<std::size_t>(height) *
                                            static_cast<std::size_t>(width),
                  "a frame of the film has no right size");
}

Film::Frame Film::frame_of(const std::string& caption, const Image& picture) {
  const Image small = shrunk_to(picture, kMostPixels);
  Frame frame{caption, small.channels(), small.height(), small.width(), {}};
  for (const float value : small.pixels())
    frame.samples.push_back(static_cast<unsigned char>(std::lround(255.f * value)));
  return frame;
}

void Film::serialize(Archive& archive) {
  archive(step_, frames_);
  archive.require(step_ > 0 && frames_.size() <= kMostFrames, "the film is longer than it can be");
}

Image Film::image_of(const Frame& frame) {
  Image image(frame.channels, frame.height, frame.width);
  std::ranges::transform(frame.samples, image.pixels().begin(),
                         [](unsigned char v) { return static_cast<float>(v) / 255.f; });
  return image;
}

void Film::offer(int place, const std::string& caption, const Image& picture) {
  if (place % step_ != 0) return;
  if (frames_.size() == kMostFrames) {
    for (std::size_t i = 1; 2 * i < frames_.size(); ++i) frames_[i] = std::move(frames_[2 * i]);
    frames_.resize((frames_.size() + 1) / 2);
    step_ *= 2;
    if (place % step_ != 0) return;
  }
  frames_.push_back(frame_of(caption, picture));
}

void Film::write(const fs::path& path, const std::string& caption, const Image& last) const {
  std::vector<Image> images;
  for (const Frame& frame : frames_) images.push_back(image_of(frame));
  images.push_back(shrunk_to(last, kMostPixels));
  std::vector<Panel> panels;
  for (std::size_t i = 0; i < images.size(); ++i)
    panels.push_back({&images[i], i < frames_.size() ? frames_[i].caption : caption});
  if (is_animation(path))
    write_frames(path, panels);
  else
    write_strip(path, panels);
}

}  // namespace unmar
