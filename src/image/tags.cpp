#include "image/tags.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

namespace unmar::image {
namespace {

constexpr std::uint16_t kText = 2, kShort = 3, kLong = 4, kRational = 5, kSignedRational = 10,
                        kFloat = 11, kDouble = 12, kLong8 = 16, kIfd8 = 18;
constexpr std::uint16_t kStripOffsets = 273, kStripSizes = 279, kTileOffsets = 324,
                        kTileSizes = 325, kExifDirectory = 34665, kGpsDirectory = 34853,
                        kInteropDirectory = 40965, kSubDirectories = 330, kImageJSizes = 50838,
                        kImageJBlocks = 50839;
constexpr std::size_t kMostPages = 1'000'000;

std::size_t size_of(std::uint16_t type) {
  constexpr std::array<std::uint8_t, 19> kSizes{0, 1, 1, 2, 4, 8, 1, 1, 2, 4,
                                                8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < kSizes.size() ? kSizes[type] : 0;
}

/// Of the numbers that a value is made of: a rational is two of four bytes.
std::size_t word_of(std::uint16_t type) {
  return type == kRational || type == kSignedRational ? 4 : size_of(type);
}

std::uint64_t number_at(std::string_view bytes, std::size_t size, bool big_endian = false) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[big_endian ? i : size - 1 - i]);
    value = value << 8 | byte;
  }
  return value;
}

void append_number(std::string& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> 8 * i & 0xff);
}

void replace_number(std::string& out, std::size_t at, std::uint64_t value, std::size_t size) {
  std::string bytes;
  append_number(bytes, value, size);
  out.replace(at, size, bytes);
}

void turn(std::string& bytes, std::size_t at, std::size_t end, std::size_t word) {
  for (; at + word <= end; at += word)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at + word));
}

/// ImageJ's labels and the like are bytes for TIFF, but hold numbers in the order of the file:
/// "IJIJ", then kind and count of each kind, then as many blocks, whose sizes another tag has.
void turn_imagej(std::vector<Tag>& tags) {
  const auto at = [&](std::uint16_t id) {
    return std::ranges::find_if(
        tags, [&](const Tag& tag) { return tag.id == id && tag.place == Tag::Place::picture; });
  };
  const auto sizes = at(kImageJSizes), blocks = at(kImageJBlocks);
  if (sizes == tags.end() || blocks == tags.end() || sizes->bytes.size() < 4) return;
  const auto size = [&](std::size_t i) {
    return i * 4 + 4 <= sizes->bytes.size()
               ? number_at(std::string_view(sizes->bytes).substr(i * 4), 4)
               : 0;
  };
  std::string& bytes = blocks->bytes;
  const std::size_t head = size(0);
  if (head > bytes.size()) return;
  const std::string kinds = bytes.substr(0, head);
  turn(bytes, 0, head, 4);
  std::size_t from = head, block = 1;
  for (std::size_t entry = 4; entry + 8 <= head; entry += 8) {
    const std::string kind = kinds.substr(entry, 4);
    const std::uint64_t count = number_at(std::string_view(kinds).substr(entry + 4), 4, true);
    const std::size_t word = kind == "labl" || kind == "info" ? 2 : kind == "rang" ? 8 : 1;
    for (std::uint64_t i = 0; i < count && from < bytes.size(); ++i, ++block) {
      const std::size_t end = from + std::min<std::size_t>(size(block), bytes.size() - from);
      turn(bytes, from, end, word);
      from = end;
      if (size(block) == 0) return;
    }
  }
}

class TagReader {
 public:
  explicit TagReader(std::string_view tiff) : tiff_(tiff) {}

  /// The first directory; 0 if this is no TIFF.
  std::uint64_t begin() {
    if (tiff_.size() < 8) return 0;
    big_endian_ = tiff_[0] == 'M';
    const std::uint64_t magic = number(2, 2);
    big_ = magic == 43;
    if (magic != 42 && magic != 43) return 0;
    return big_ ? number(8, 8) : number(4, 4);
  }

  /// The tags of the directory at `at`; returns where the next one is, 0: nowhere.
  std::uint64_t directory(std::uint64_t at, Tag::Place place, std::vector<Tag>& tags) {
    const std::size_t head = big_ ? 8 : 2, entry = big_ ? 20 : 12;
    if (!inside(at, head)) return 0;
    const std::uint64_t count = number(at, head);
    if (count > 65536 || !inside(at + head, count * entry)) return 0;
    for (std::uint64_t i = 0; i < count; ++i) read(at + head + i * entry, place, tags);
    if (big_endian_ && place == Tag::Place::picture) turn_imagej(tags);
    const std::uint64_t end = at + head + count * entry;
    return inside(end, big_ ? 8 : 4) ? number(end, big_ ? 8 : 4) : 0;
  }

 private:
  bool inside(std::uint64_t at, std::uint64_t size) const {
    return at <= tiff_.size() && size <= tiff_.size() - at;
  }
  std::uint64_t number(std::uint64_t at, std::size_t size) const {
    return inside(at, size) ? number_at(tiff_.substr(at, size), size, big_endian_) : 0;
  }

  void read(std::uint64_t at, Tag::Place place, std::vector<Tag>& tags) {
    Tag tag{place,
            static_cast<std::uint16_t>(number(at, 2)),
            static_cast<std::uint16_t>(number(at + 2, 2)),
            {}};
    const std::uint64_t count = number(at + 4, big_ ? 8 : 4);
    const std::size_t size = size_of(tag.type), field = big_ ? 8 : 4;
    if (size == 0 || count == 0 || count > tiff_.size() / size) return;
    const std::uint64_t value_at = at + (big_ ? 12 : 8);
    const std::uint64_t from = size * count <= field ? value_at : number(value_at, field);
    if (!inside(from, size * count)) return;
    if (place == Tag::Place::picture && (tag.id == kExifDirectory || tag.id == kGpsDirectory)) {
      directory(number(from, size), tag.id == kExifDirectory ? Tag::Place::exif : Tag::Place::gps,
                tags);
      return;
    }
    tag.bytes = tiff_.substr(from, size * count);
    // IPTC is bytes, though many say that it is numbers.
    const std::size_t word = tag.id == kIptc ? 1 : word_of(tag.type);
    if (big_endian_) turn(tag.bytes, 0, tag.bytes.size(), word);
    tags.push_back(std::move(tag));
  }

  std::string_view tiff_;
  bool big_endian_ = false, big_ = false;
};

/// Behind what `out` holds, which stands at `base` in the file; returns where it begins. The next
/// one's place is its last number, 0.
std::uint64_t append_directory(std::string& out, std::vector<Tag> tags, bool big,
                               std::uint64_t base) {
  std::ranges::stable_sort(tags, {}, &Tag::id);
  const std::size_t field = big ? 8 : 4;
  std::string entries;
  std::size_t count = 0;
  for (const Tag& tag : tags) {
    if (!big && tag.type >= kLong8 && tag.type <= kIfd8) continue;  // only BigTIFF has them
    append_number(entries, tag.id, 2);
    append_number(entries, tag.type, 2);
    append_number(entries, tag.bytes.size() / size_of(tag.type), field);
    if (tag.bytes.size() <= field) {
      entries += tag.bytes;
      entries.append(field - tag.bytes.size(), '\0');
    } else {
      if (out.size() % 2 != 0) out += '\0';
      append_number(entries, base + out.size(), field);
      out += tag.bytes;
    }
    ++count;
  }
  if (out.size() % 2 != 0) out += '\0';
  const std::uint64_t at = base + out.size();
  append_number(out, count, big ? 8 : 2);
  out += entries;
  append_number(out, 0, field);
  return at;
}

std::vector<Tag> of_place(const std::vector<Tag>& tags, Tag::Place place) {
  std::vector<Tag> some;
  std::ranges::copy_if(tags, std::back_inserter(some),
                       [&](const Tag& tag) { return tag.place == place; });
  return some;
}

Tag number_tag(std::uint16_t id, std::uint16_t type, std::uint64_t value,
               Tag::Place place = Tag::Place::picture) {
  Tag tag{place, id, type, {}};
  append_number(tag.bytes, value, size_of(type));
  return tag;
}

/// With the directories below it.
std::uint64_t append_all(std::string& out, const std::vector<Tag>& tags, bool big,
                         std::uint64_t base = 0) {
  std::vector<Tag> main = of_place(tags, Tag::Place::picture);
  for (const auto& [place, id] :
       {std::pair{Tag::Place::exif, kExifDirectory}, std::pair{Tag::Place::gps, kGpsDirectory}}) {
    const std::vector<Tag> below = of_place(tags, place);
    if (!below.empty())
      main.push_back(number_tag(id, big ? kLong8 : kLong, append_directory(out, below, big, base)));
  }
  return append_directory(out, main, big, base);
}

std::vector<std::uint64_t> numbers_of(const Tag* tag) {
  std::vector<std::uint64_t> numbers;
  const std::size_t size = tag ? size_of(tag->type) : 1;
  for (std::size_t i = 0; tag && i + size <= tag->bytes.size(); i += size)
    numbers.push_back(number_at(std::string_view(tag->bytes).substr(i), size));
  return numbers;
}

/// Appends the strips or tiles of a page, and says where they are now.
void append_samples(std::string& out, std::string_view encoded, std::vector<Tag>& tags, bool big) {
  const bool tiled = find(tags, kTileOffsets) != nullptr;
  const auto offsets = numbers_of(find(tags, tiled ? kTileOffsets : kStripOffsets));
  const auto sizes = numbers_of(find(tags, tiled ? kTileSizes : kStripSizes));
  Tag moved{Tag::Place::picture, tiled ? kTileOffsets : kStripOffsets, big ? kLong8 : kLong, {}};
  for (std::size_t i = 0; i < offsets.size() && i < sizes.size(); ++i) {
    if (out.size() % 2 != 0) out += '\0';
    append_number(moved.bytes, out.size(), size_of(moved.type));
    out += encoded.substr(offsets[i], sizes[i]);
  }
  put(tags, moved);
}

bool is_big_tiff(std::string_view tiff) { return tiff.size() > 2 && tiff[2] == 43; }

std::vector<Tag> tags_of(const TiffPage& page) {
  std::vector<Tag> tags = page.tags;
  const auto directories = read_tags(page.encoded);
  if (!directories.empty())
    for (const Tag& tag : directories.front())
      if (is_structural(tag) && tag.id != kOrientation) put(tags, tag);
  for (const Tag& tag : page.instead) put(tags, tag);
  return tags;
}

}  // namespace

std::vector<std::vector<Tag>> read_tags(std::string_view tiff) {
  TagReader reader(tiff);
  std::vector<std::vector<Tag>> pages;
  std::set<std::uint64_t> seen;  // a damaged file may go in circles
  for (std::uint64_t at = reader.begin(); at != 0 && seen.insert(at).second;) {
    if (pages.size() == kMostPages) break;
    at = reader.directory(at, Tag::Place::picture, pages.emplace_back());
  }
  return pages;
}

bool is_structural(const Tag& tag) {
  if (tag.place == Tag::Place::exif) return tag.id == kInteropDirectory;
  if (tag.place == Tag::Place::gps) return false;
  constexpr std::array<std::uint16_t, 44> kIds{254,   255,
                                               256,   257,
                                               258,   259,
                                               262,   263,
                                               264,   265,
                                               266,   273,
                                               274,   277,
                                               278,   279,
                                               280,   281,
                                               284,   288,
                                               289,   290,
                                               291,   292,
                                               293,   297,
                                               301,   317,
                                               320,   322,
                                               323,   324,
                                               325,   kSubDirectories,
                                               332,   334,
                                               336,   338,
                                               339,   340,
                                               341,   347,
                                               34675, 34853};
  return std::ranges::find(kIds, tag.id) != kIds.end() || (tag.id >= 512 && tag.id <= 532);
}

std::string to_exif(std::vector<Tag> tags) {
  std::string out("II*\0\0\0\0\0", 8);
  const std::uint64_t at = append_all(out, tags, false);
  replace_number(out, 4, at, 4);
  return out;
}

TiffPatch patch_of(const TiffPage& page) {
  const bool big = is_big_tiff(page.encoded);
  TiffPatch patch{.end = (page.encoded.size() + 1) / 2 * 2, .directory = {}, .head = {}};
  const std::uint64_t at = append_all(patch.directory, tags_of(page), big, patch.end);
  patch.head = page.encoded.substr(0, big ? 16 : 8);
  replace_number(patch.head, big ? 8 : 4, at, big ? 8 : 4);
  return patch;
}

std::string to_tiff(const std::vector<TiffPage>& pages) {
  constexpr std::uint64_t kClassic = 3'900'000'000;  // bytes; above, offsets need 64 bits
  std::uint64_t total = 0;
  bool big = false;
  for (const TiffPage& page : pages) {
    total += page.encoded.size();
    big = big || is_big_tiff(page.encoded);
  }
  big = big || total > kClassic;
  std::string out =
      big ? std::string("II+\0\x08\0\0\0\0\0\0\0\0\0\0\0", 16) : std::string("II*\0\0\0\0\0", 8);
  std::size_t link = big ? 8 : 4;  // where the place of the next directory stands
  out.reserve(total + total / 64);
  for (const TiffPage& page : pages) {
    std::vector<Tag> tags = tags_of(page);
    append_samples(out, page.encoded, tags, big);
    const std::uint64_t at = append_all(out, tags, big);
    replace_number(out, link, at, big ? 8 : 4);
    link = out.size() - (big ? 8 : 4);
  }
  return out;
}

const Tag* find(const std::vector<Tag>& tags, std::uint16_t id, Tag::Place place) {
  const auto at = std::ranges::find_if(
      tags, [&](const Tag& tag) { return tag.id == id && tag.place == place; });
  return at == tags.end() ? nullptr : &*at;
}

void put(std::vector<Tag>& tags, Tag tag) {
  remove(tags, tag.id, tag.place);
  tags.push_back(std::move(tag));
}

void remove(std::vector<Tag>& tags, std::uint16_t id, Tag::Place place) {
  std::erase_if(tags, [&](const Tag& tag) { return tag.id == id && tag.place == place; });
}

Tag text_tag(std::uint16_t id, std::string_view text) {
  return {Tag::Place::picture, id, kText, std::string(text) + '\0'};
}

Tag short_tag(std::uint16_t id, std::uint16_t value) { return number_tag(id, kShort, value); }

Tag long_tag(std::uint16_t id, std::uint32_t value, Tag::Place place) {
  return number_tag(id, kLong, value, place);
}

Tag rational_tag(std::uint16_t id, double value) {
  std::uint64_t below = 1;
  while (below < 1'000'000 &&
         std::abs(value * static_cast<double>(below) -
                  std::round(value * static_cast<double>(below))) > 1e-9 &&
         value * static_cast<double>(below) < 4e8)
    below *= 10;
  Tag tag{Tag::Place::picture, id, kRational, {}};
  const double above = std::round(value * static_cast<double>(below));
  append_number(tag.bytes, static_cast<std::uint64_t>(std::clamp(above, 0., 4294967295.)), 4);
  append_number(tag.bytes, below, 4);
  return tag;
}

std::string text_of(const Tag& tag) {
  std::string text = tag.bytes;
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

std::optional<double> number_of(const Tag& tag) {
  const std::size_t size = size_of(tag.type);
  if (tag.type == kText || size == 0 || tag.bytes.size() < size) return {};
  const std::uint64_t bits = number_at(tag.bytes, word_of(tag.type));
  if (tag.type == kFloat)
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (tag.type == kDouble) return std::bit_cast<double>(bits);
  if (tag.type != kRational && tag.type != kSignedRational) return static_cast<double>(bits);
  const std::uint64_t below = number_at(std::string_view(tag.bytes).substr(4), 4);
  if (below == 0) return {};
  return static_cast<double>(bits) / static_cast<double>(below);
}

}  // namespace unmar::image
