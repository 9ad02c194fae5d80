#include "image/pages.h"

#include <algorithm>

#include <vips/vips8>

#include "base/fail.h"
#include "image/fits_read.h"
#include "image/mapped_file.h"
#include "image/reading.h"
#include "image/tags.h"
#include "image/tiff_tags.h"
#include "image/vips_runtime.h"
#include "unmar/image/pages.h"

namespace unmar {
namespace image {
namespace {

namespace fs = std::filesystem;
using vips::VImage;

constexpr std::string_view kListPages = "read_image";
constexpr std::uint16_t kSubfile = 254, kOldSubfile = 255, kPageName = 285;

/// Neither a reduced copy of another page nor a mask for one.
bool is_picture(const std::vector<Tag>& directory) {
  const auto number = [&](std::uint16_t id) {
    const Tag* tag = find(directory, id);
    return tag ? static_cast<int>(number_of(*tag).value_or(0)) : 0;
  };
  constexpr int kReduced = 1, kMask = 4, kOldReduced = 2;
  return (number(kSubfile) & (kReduced | kMask)) == 0 && number(kOldSubfile) != kOldReduced;
}

/// The places of all pages; one of 0 for what is not looked into.
std::vector<int> places_of(FileKind kind, const fs::path& path) {
  std::vector<int> places;
  if (kind == FileKind::tiff) {
    const MappedFile file(path);
    const auto directories = read_tags(file.bytes());
    for (std::size_t i = 0; i < directories.size(); ++i)
      if (is_picture(directories[i])) places.push_back(static_cast<int>(i));
    if (const auto stack = places.size() == 1 ? read_raw_stack(path) : std::nullopt)
      for (int page = 1; page < stack->pages; ++page) places.push_back(page);
  } else if (kind == FileKind::fits) {
    const MappedFile file(path);
    const auto hdus = fits_hdus(file.bytes());
    for (std::size_t i = 0; i < hdus.size(); ++i)
      if (hdus[i].is_image) places.push_back(static_cast<int>(i));
    // One alone is unpacked by libvips' library.
    const auto packed = std::ranges::count_if(hdus, &FitsHdu::is_compressed_image);
    if (packed > 0 && static_cast<std::size_t>(packed) + places.size() > 1)
      fail(ErrorCode::bad_input,
           "{}: '{}' holds {} compressed images beside {}; unpack it with funpack first",
           kListPages, path.string(), packed,
           places.empty() ? "each other" : fmt::format("{} others", places.size()));
  } else if (kind == FileKind::webp || kind == FileKind::gif) {
    const VImage opened =
        kind == FileKind::gif ? VImage::gifload(path.c_str()) : VImage::webpload(path.c_str());
    const int count =
        opened.get_typeof(VIPS_META_N_PAGES) != 0 ? opened.get_int(VIPS_META_N_PAGES) : 1;
    for (int i = 0; i < count; ++i) places.push_back(i);
  }
  if (places.empty()) places.push_back(0);
  return places;
}

std::vector<std::string> names_of(FileKind kind, const fs::path& path) {
  std::vector<std::string> names;
  const MappedFile file(path);
  if (kind == FileKind::fits) {
    for (const FitsHdu& hdu : fits_hdus(file.bytes()))
      if (hdu.is_image) names.push_back(fits_value(hdu.cards, "EXTNAME"));
  } else if (kind == FileKind::tiff) {
    for (const auto& directory : read_tags(file.bytes()))
      if (is_picture(directory)) {
        const Tag* name = find(directory, kPageName);
        names.push_back(name ? text_of(*name) : "");
      }
  }
  return names;
}

}  // namespace

FrameTimes times_of(FileKind kind, const fs::path& path) {
  if (kind != FileKind::webp && kind != FileKind::gif) return {};
  vips::VOption* all = VImage::option()->set("n", -1);
  const VImage opened = kind == FileKind::gif ? VImage::gifload(path.c_str(), all)
                                              : VImage::webpload(path.c_str(), all);
  FrameTimes times;
  if (opened.get_typeof("delay") != 0) times.milliseconds = opened.get_array_int("delay");
  if (opened.get_typeof("loop") != 0) times.loop = opened.get_int("loop");
  return times;
}

int place_of_page(std::string_view where, FileKind kind, const fs::path& path, int page) {
  const std::vector<int> places = places_of(kind, path);
  if (page < 1 || static_cast<std::size_t>(page) > places.size())
    fail(ErrorCode::bad_argument, "{}: '{}' has {}, there is no page {}", where, path.string(),
         places.size() == 1 ? "one page" : fmt::format("{} pages", places.size()), page);
  return places[static_cast<std::size_t>(page) - 1];
}

}  // namespace image

int count_pages(const std::filesystem::path& path) {
  image::start_vips();
  const image::FileKind kind = image::kind_of_contents(image::kListPages, path);
  return image::reading(path,
                        [&] { return static_cast<int>(image::places_of(kind, path).size()); });
}

std::vector<PageInfo> list_pages(const std::filesystem::path& path) {
  const int count = count_pages(path);
  const image::FileKind kind = image::kind_of_contents(image::kListPages, path);
  return image::reading(path, [&] {
    const auto names = image::names_of(kind, path);
    const auto delays = image::times_of(kind, path).milliseconds;
    std::vector<PageInfo> pages;
    for (int page = 1; page <= count; ++page) {
      const auto i = static_cast<std::size_t>(page) - 1;
      pages.push_back({.image = read_image_info(path, page),
                       .name = i < names.size() ? names[i] : "",
                       .milliseconds = i < delays.size() ? delays[i] : 0});
    }
    return pages;
  });
}

}  // namespace unmar
