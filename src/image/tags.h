#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The directories of TIFF, which are those of EXIF, too.
namespace unmar::image {

/// One entry of a directory. Numbers are little-endian whatever the file's are.
struct Tag {
  enum class Place : std::uint8_t { picture, exif, gps };
  Place place = Place::picture;
  std::uint16_t id = 0, type = 0;
  std::string bytes;
};

// Those that mean something here.
inline constexpr std::uint16_t kDescription = 270, kXResolution = 282, kYResolution = 283,
                               kResolutionUnit = 296, kSoftware = 305, kOrientation = 274,
                               kXmp = 700, kIptc = 33723, kPhotoshop = 34377, kDocumentName = 269,
                               kArtist = 315, kCopyright = 33432, kPixelScale = 33550,
                               kExifWidth = 40962, kExifHeight = 40963;
// How the samples lie in their file.
inline constexpr std::uint16_t kWidth = 256, kBitsPerSample = 258, kPhotometric = 262,
                               kSamplesPerPixel = 277, kPlanarConfiguration = 284, kPredictor = 317,
                               kTileWidth = 322, kExtraSamples = 338, kSampleFormat = 339;

/// All directories of a TIFF file, or of what EXIF holds behind its "Exif\0\0", page after page.
/// Broken entries are left out.
std::vector<std::vector<Tag>> read_tags(std::string_view tiff);

/// Whether it says how the samples lie in their file, and so is another file's business.
bool is_structural(const Tag& tag);

/// What EXIF holds behind its "Exif\0\0".
std::string to_exif(std::vector<Tag> tags);

/// A page of a TIFF file: as libvips encoded it, alone in its file, the tags to go with it, and
/// what is to be said of its samples in place of what libvips says.
struct TiffPage {
  std::string_view encoded;
  std::vector<Tag> tags;
  std::vector<Tag> instead = {};
};
/// One file of them.
std::string to_tiff(const std::vector<TiffPage>& pages);

/// What makes a file of one page of what libvips wrote, where it lies.
struct TiffPatch {
  std::uint64_t end;      ///< where `directory` is to be written: at the end of the file
  std::string directory;  ///< in place of the one that libvips wrote, which nothing points to then
  std::string head;       ///< the first bytes of the file
};
TiffPatch patch_of(const TiffPage& page);

// Values.
const Tag* find(const std::vector<Tag>& tags, std::uint16_t id,
                Tag::Place place = Tag::Place::picture);
/// Replaces the tag, or adds it.
void put(std::vector<Tag>& tags, Tag tag);
void remove(std::vector<Tag>& tags, std::uint16_t id, Tag::Place place = Tag::Place::picture);
Tag text_tag(std::uint16_t id, std::string_view text);
Tag short_tag(std::uint16_t id, std::uint16_t value);
Tag long_tag(std::uint16_t id, std::uint32_t value, Tag::Place place);
/// With as many digits as fit.
Tag rational_tag(std::uint16_t id, double value);
std::string text_of(const Tag& tag);  ///< without the zeros at its end
/// The first number; empty for texts.
std::optional<double> number_of(const Tag& tag);

}  // namespace unmar::image
