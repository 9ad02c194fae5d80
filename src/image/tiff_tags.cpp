#include "image/tiff_tags.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "image/mapped_file.h"
#include "image/tags.h"

namespace unmar::image {
namespace {

constexpr std::uint64_t kNoData = 42113, kHeight = 257, kCompression = 259, kStripOffsets = 273;

/// Copies `size` bytes from `at`; false beyond the end.
using Fetch = std::function<bool(std::uint64_t at, unsigned char* to, std::size_t size)>;

/// One field of a directory.
struct Field {
  std::uint64_t tag = 0, type = 0, count = 0;
  std::uint64_t at = 0;  ///< of its first value in the file
};

/// Walks through directory `place` of a classic or a big TIFF.
class Directory {
 public:
  Directory(Fetch fetch, int place) : fetch_(std::move(fetch)) {
    unsigned char head[4] = {};
    if (!fetch_(0, head, sizeof head)) return;
    little_ = head[0] == 'I';
    big_ = number(2, 2) == 43;
    const std::size_t link = big_ ? 8 : 4;
    first_ = number(link, link);
    for (; place > 0 && first_ != 0; --place) {
      const std::uint64_t count = number(first_, big_ ? 8 : 2);
      if (count > kMostFields) first_ = 0;
      if (first_ != 0) first_ = number(first_ + (big_ ? 8 + 20 * count : 2 + 12 * count), link);
    }
  }

  bool is_big_endian() const { return !little_; }

  std::uint64_t number(std::uint64_t at, std::size_t size) const {
    unsigned char bytes[8] = {};
    if (!fetch_(at, bytes, size)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[little_ ? size - 1 - i : i];
    return value;
  }

  template <class Visit>
  void for_fields(Visit visit) const {
    if (first_ == 0) return;
    const std::uint64_t wide = big_ ? 8 : 4, entry = big_ ? 20 : 12, head = big_ ? 8 : 2;
    const std::uint64_t count = std::min(number(first_, head), kMostFields);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = first_ + head + i * entry;
      Field field{number(at, 2), number(at + 2, 2), number(at + 4, wide), at + 4 + wide};
      const std::uint64_t size = size_of(field);
      if (field.count > wide / size) field.at = number(field.at, wide);
      visit(field);
    }
  }

  bool fetch(std::uint64_t at, char* to, std::size_t size) const {
    return fetch_(at, reinterpret_cast<unsigned char*>(to), size);
  }

  static std::size_t size_of(const Field& field) {
    return field.type == 3 ? 2 : field.type == 4 ? 4 : field.type == 16 ? 8 : 1;
  }

 private:
  static constexpr std::uint64_t kMostFields = 4096;
  Fetch fetch_;
  bool little_ = true, big_ = false;
  std::uint64_t first_ = 0;
};

std::optional<double> text_as_number(const Directory& directory, const Field& field) {
  char text[64] = {};
  const std::size_t size = std::min<std::uint64_t>(field.count, sizeof text - 1);
  if (!directory.fetch(field.at, text, size)) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  return end == text ? std::nullopt : std::optional(value);
}

/// "ImageJ=1.54f\nimages=5\n..."
int images_in(const Directory& directory, const Field& field) {
  std::string text(std::min<std::uint64_t>(field.count, 4096), '\0');
  if (!directory.fetch(field.at, text.data(), text.size()) || !text.starts_with("ImageJ="))
    return 1;
  constexpr std::string_view kKey = "\nimages=";
  const std::size_t at = text.find(kKey);
  return at == text.npos ? 1 : std::max(1, std::atoi(text.c_str() + at + kKey.size()));
}

}  // namespace

bool TiffTags::has_alpha() const {
  const int colours = photometric == 5 ? 4 : photometric == 2 || photometric == 8 ? 3 : 1;
  return samples == colours + 1 && first_extra != 0;
}

bool TiffTags::has_multiplied_alpha() const {
  constexpr int kAssociated = 1;
  return has_alpha() && first_extra == kAssociated && photometric <= 2;
}

std::optional<TiffTags> read_tiff_tags(const std::filesystem::path& path, int place) {
  const MappedFile file(path);
  const std::string_view bytes = file.bytes();
  const Directory directory(
      [&](std::uint64_t at, unsigned char* to, std::size_t size) {
        if (at > bytes.size() || size > bytes.size() - at) return false;
        std::memcpy(to, bytes.data() + at, size);
        return true;
      },
      place);
  TiffTags tags;
  tags.big_endian = directory.is_big_endian();
  bool any = false;
  directory.for_fields([&](const Field& field) {
    any = true;
    const auto value = static_cast<int>(directory.number(field.at, Directory::size_of(field)));
    if (field.tag == kWidth) tags.width = value;
    if (field.tag == kTileWidth) tags.tile_width = value;
    if (field.tag == kSamplesPerPixel) tags.samples = value;
    if (field.tag == kBitsPerSample) tags.bits = value;
    if (field.tag == kSampleFormat) tags.number = value;
    if (field.tag == kPhotometric) tags.photometric = value;
    if (field.tag == kExtraSamples) tags.first_extra = value;
    if (field.tag == kPredictor) tags.predictor = value;
    if (field.tag == kPlanarConfiguration) tags.planes = value == 2;
    if (field.tag == kHeight) tags.height = value;
    if (field.tag == kCompression) tags.compression = value;
    if (field.tag == kStripOffsets) {
      tags.strips = field.count;
      tags.first_strip = directory.number(field.at, Directory::size_of(field));
    }
    if (field.tag == kDescription) tags.imagej_images = images_in(directory, field);
    if (field.tag == kNoData) tags.nodata = text_as_number(directory, field);
  });
  if (!any) return std::nullopt;
  return tags;
}

std::optional<RawStack> read_raw_stack(const std::filesystem::path& path) {
  const auto tags = read_tiff_tags(path);
  if (!tags || tags->imagej_images < 2 || tags->strips != 1 || tags->compression != 1 ||
      tags->planes || tags->tile_width > 0 || tags->bits % 8 != 0 || tags->width <= 0 ||
      tags->height <= 0 || tags->samples <= 0 || read_tiff_tags(path, 1))
    return std::nullopt;
  RawStack stack{.pages = tags->imagej_images, .first = tags->first_strip};
  stack.page_bytes = static_cast<std::uint64_t>(tags->width) *
                     static_cast<std::uint64_t>(tags->height) *
                     static_cast<std::uint64_t>(tags->samples * (tags->bits / 8));
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  // Whoever took one page out may have kept the description.
  if (error || stack.first > size ||
      (size - stack.first) / stack.page_bytes < static_cast<std::uint64_t>(stack.pages))
    return std::nullopt;
  return stack;
}

void change_tags(std::span<unsigned char> file, int place, std::span<const TiffChange> changes) {
  const Directory directory(
      [&](std::uint64_t at, unsigned char* to, std::size_t size) {
        if (at > file.size() || size > file.size() - at) return false;
        std::memcpy(to, file.data() + at, size);
        return true;
      },
      place);
  directory.for_fields([&](const Field& field) {
    for (const TiffChange& change : changes) {
      if (field.tag != change.tag) continue;
      const std::size_t size = Directory::size_of(field);
      for (std::uint64_t i = 0; i < field.count; ++i) {
        const std::uint64_t at = field.at + i * size;
        if (at > file.size() || size > file.size() - at) return;
        for (std::size_t byte = 0; byte < size; ++byte) {
          const std::size_t shift = directory.is_big_endian() ? size - 1 - byte : byte;
          file[at + byte] = static_cast<unsigned char>(change.value >> 8 * shift);
        }
      }
    }
  });
}

}  // namespace unmar::image
