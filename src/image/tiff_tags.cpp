#include "image/tiff_tags.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

namespace unmar::image {
namespace {

constexpr std::uint64_t kSamplesPerPixel = 277, kPhotometric = 262, kExtraSamples = 338,
                        kNoData = 42113;

/// Copies `size` bytes from `at`; false beyond the end.
using Fetch = std::function<bool(std::uint64_t at, unsigned char* to, std::size_t size)>;

/// One field of a directory.
struct Field {
  std::uint64_t tag = 0, type = 0, count = 0;
  std::uint64_t at = 0;  ///< of its first value in the file
};

/// Walks through the first directory of a classic or a big TIFF.
class Directory {
 public:
  explicit Directory(Fetch fetch) : fetch_(std::move(fetch)) {
    unsigned char head[4] = {};
    if (!fetch_(0, head, sizeof head)) return;
    little_ = head[0] == 'I';
    big_ = number(2, 2) == 43;
    first_ = big_ ? number(8, 8) : number(4, 4);
  }

  std::uint64_t number(std::uint64_t at, std::size_t size) const {
    unsigned char bytes[8] = {};
    if (!fetch_(at, bytes, size)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[little_ ? size - 1 - i : i];
    return value;
  }

  template <class Visit>
  void for_fields(Visit visit) const {
    constexpr std::uint64_t kMostFields = 4096;
    if (first_ == 0) return;
    const std::uint64_t wide = big_ ? 8 : 4, entry = big_ ? 20 : 12, head = big_ ? 8 : 2;
    const std::uint64_t count = std::min(number(first_, head), kMostFields);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = first_ + head + i * entry;
      Field field{number(at, 2), number(at + 2, 2), number(at + 4, wide), at + 4 + wide};
      const std::uint64_t size = field.type == 3 ? 2 : field.type == 4 ? 4 : 1;
      if (field.count > wide / size) field.at = number(field.at, wide);
      visit(field);
    }
  }

  bool fetch(std::uint64_t at, char* to, std::size_t size) const {
    return fetch_(at, reinterpret_cast<unsigned char*>(to), size);
  }

 private:
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

}  // namespace

bool TiffTags::has_alpha() const {
  const int colours = photometric == 5 ? 4 : photometric == 2 || photometric == 8 ? 3 : 1;
  return samples == colours + 1 && first_extra != 0;
}

std::optional<TiffTags> read_tiff_tags(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const Directory directory([&](std::uint64_t at, unsigned char* to, std::size_t size) {
    file.clear();
    file.seekg(static_cast<std::streamoff>(at));
    return static_cast<bool>(
        file.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(size)));
  });
  TiffTags tags;
  bool any = false;
  directory.for_fields([&](const Field& field) {
    any = true;
    if (field.tag == kSamplesPerPixel)
      tags.samples = static_cast<int>(directory.number(field.at, 2));
    if (field.tag == kPhotometric)
      tags.photometric = static_cast<int>(directory.number(field.at, 2));
    if (field.tag == kExtraSamples)
      tags.first_extra = static_cast<int>(directory.number(field.at, 2));
    if (field.tag == kNoData) tags.nodata = text_as_number(directory, field);
  });
  if (!any) return std::nullopt;
  return tags;
}

void declare_extra_as_data(std::span<unsigned char> file) {
  const Directory directory([&](std::uint64_t at, unsigned char* to, std::size_t size) {
    if (at > file.size() || size > file.size() - at) return false;
    std::memcpy(to, file.data() + at, size);
    return true;
  });
  directory.for_fields([&](const Field& field) {
    if (field.tag != kExtraSamples || field.at > file.size()) return;
    const std::size_t size = std::min<std::uint64_t>(2 * field.count, file.size() - field.at);
    std::ranges::fill(file.subspan(field.at, size), static_cast<unsigned char>(0));
  });
}

}  // namespace unmar::image
