#include "image/metadata_files.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "image/fits_read.h"
#include "image/mapped_file.h"

namespace unmar::image {
namespace {

using vips::VImage;

constexpr std::string_view kExifHead{"Exif\0\0", 6};
constexpr std::string_view kPhotoshopHead{"Photoshop 3.0\0", 14};
constexpr const char* kTextField = "png-comment-";
constexpr const char* kCardField = "fits-";

/// Texts of PNG that are tags elsewhere.
struct Twin {
  const char* text;
  std::uint16_t tag;
};
constexpr std::array kTwins{Twin{"Title", kDocumentName}, Twin{"Description", kDescription},
                            Twin{"Author", kArtist}, Twin{"Copyright", kCopyright}};

std::string blob(const VImage& image, const char* field) {
  if (image.get_typeof(field) == 0) return {};
  std::size_t size = 0;
  const void* data = image.get_blob(field, &size);
  return {static_cast<const char*>(data), size};
}

void put_blob(VImage& image, const char* field, const std::string& bytes) {
  void* copy = g_malloc(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  image.set(field, reinterpret_cast<VipsCallbackFn>(&vips_area_free_cb), copy, bytes.size());
}

std::vector<std::string> fields_of(const VImage& image) {
  const std::unique_ptr<char*, void (*)(char**)> names(vips_image_get_fields(image.get_image()),
                                                       &g_strfreev);
  std::vector<std::string> fields;
  for (char** name = names.get(); name && *name; ++name) fields.emplace_back(*name);
  return fields;
}

std::vector<Tag> tiff_tags(std::string_view tiff, int page) {
  auto pages = read_tags(tiff);
  const auto index = static_cast<std::size_t>(page);
  return index < pages.size() ? std::move(pages[index]) : std::vector<Tag>();
}

std::vector<Tag> exif_tags(const VImage& opened) {
  const std::string bytes = blob(opened, VIPS_META_EXIF_NAME);
  std::string_view exif = bytes;
  if (exif.starts_with(kExifHead)) exif.remove_prefix(kExifHead.size());
  auto directories = read_tags(exif);  // the second is of a thumbnail
  return directories.empty() ? std::vector<Tag>() : std::move(directories.front());
}

std::string take(std::vector<Tag>& tags, std::uint16_t id) {
  const Tag* tag = find(tags, id);
  if (!tag) return {};
  std::string bytes = tag->bytes;
  remove(tags, id);
  return bytes;
}

/// XMP, IPTC and Photoshop's resources, which have other places in other files.
void take_blocks(Metadata& m, const VImage& opened, FileKind kind) {
  const std::string xmp = take(m.tags, kXmp), iptc = take(m.tags, kIptc);
  const std::string photoshop = take(m.tags, kPhotoshop);
  m.xmp = xmp.empty() ? blob(opened, VIPS_META_XMP_NAME) : xmp;
  if (kind == FileKind::tiff) {
    m.photoshop = photoshop_resources(photoshop);
    if (!iptc.empty() && iptc_of(m.photoshop).empty())
      m.photoshop = resources_of_iptc(iptc) + m.photoshop;
  } else {
    m.photoshop = photoshop_resources(blob(opened, VIPS_META_IPTC_NAME));
  }
}

void take_texts(Metadata& m, const VImage& opened) {
  for (const std::string& field : fields_of(opened)) {
    if (field.starts_with(kCardField)) {
      std::string card = opened.get_string(field.c_str());
      card.resize(80, ' ');
      if (!is_structural_card(card)) m.cards.push_back(std::move(card));
    }
    if (!field.starts_with(kTextField)) continue;
    const std::size_t dash = field.find('-', std::strlen(kTextField));
    if (dash == field.npos) continue;
    const std::string keyword = field.substr(dash + 1);
    // Those hold other blocks, which are read already, or of the old file alone.
    if (keyword == kXmpKeyword || keyword.starts_with("Raw profile type")) continue;
    m.texts.emplace_back(keyword, opened.get_string(field.c_str()));
  }
}

/// An extension behind a header without data goes on from that.
void take_inherited(Metadata& m, std::string_view file) {
  const auto hdus = fits_hdus(file);
  if (hdus.empty() || hdus.front().is_image) return;
  for (const std::string& card : hdus.front().cards) {
    const std::string key = card.substr(0, 9);
    const bool told = card[8] == '=' && std::ranges::any_of(m.cards, [&](const std::string& own) {
                        return own.starts_with(key);
                      });
    if (!is_structural_card(card) && !told) m.inherited.push_back(card);
  }
}

/// Where a file tells it beside EXIF, too.
void take_density(Metadata& m, FileKind kind, std::string_view file) {
  const auto density = kind == FileKind::png    ? png_density(file)
                       : kind == FileKind::jpeg ? jpeg_density(file)
                                                : std::nullopt;
  if (!density) return;
  // EXIF has more digits; where it says something else, it was forgotten.
  const double per_millimetre = density->unit == Density::Unit::metre        ? 1e-3
                                : density->unit == Density::Unit::centimetre ? 0.1
                                                                             : 1 / 25.4;
  const double x = resolution_of(m).x;
  if (std::abs(x - density->x * per_millimetre) < per_millimetre) return;
  const double unit = density->unit == Density::Unit::metre ? 100 : 1;  // TIFF has centimetres
  put(m.tags, rational_tag(kXResolution, density->x / unit));
  put(m.tags, rational_tag(kYResolution, density->y / unit));
  put(m.tags, short_tag(kResolutionUnit, density->unit == Density::Unit::inch ? 2 : 3));
}

/// For JPEG, which has whole numbers of either unit.
Density jpeg_density_of(const Metadata& m) {
  const Resolution r = resolution_of(m);
  if (!(r.x > 0)) return {};
  const bool whole = std::abs(r.x * 10 - std::round(r.x * 10)) < 1e-6;
  const bool inches = r.inches || !whole;
  const auto number = [&](double per_millimetre) {
    return static_cast<std::uint32_t>(
        std::clamp(std::round(per_millimetre * (inches ? 25.4 : 10)), 1., 65535.));
  };
  return {number(r.x), number(r.y), inches ? Density::Unit::inch : Density::Unit::centimetre};
}

void make_upright(Metadata& m, const VImage& opened) {
  if (opened.get_typeof(VIPS_META_ORIENTATION) != 0 && opened.get_int(VIPS_META_ORIENTATION) >= 5) {
    for (Tag& tag : m.tags)
      if (tag.place == Tag::Place::picture) {
        if (tag.id == kXResolution)
          tag.id = kYResolution;
        else if (tag.id == kYResolution)
          tag.id = kXResolution;
      }
  }
  if (find(m.tags, kOrientation)) put(m.tags, short_tag(kOrientation, 1));
  m.xmp = with_values(std::move(m.xmp), "tiff:Orientation",
                      [](const std::string&) { return std::string("1"); });
}

bool is_empty(const Metadata& m) {
  return m.tags.empty() && m.xmp.empty() && m.photoshop.empty() && m.texts.empty() &&
         m.cards.empty() && m.inherited.empty() && m.software.empty() && m.colour.empty();
}

/// "Scanner; Unmar 0.1.0"
std::string with_software(std::string before, const std::string& software) {
  if (software.empty() || before.ends_with(software)) return before;
  return before.empty() ? software : before + "; " + software;
}

/// With the line of provenance.
PngTexts png_texts(const Metadata& m) {
  PngTexts texts;
  std::string software;
  for (const auto& [keyword, text] : m.texts)
    if (keyword == "Software")
      software = text;
    else
      texts.emplace_back(keyword, text);
  software = with_software(software, m.software);
  if (!software.empty()) texts.emplace_back("Software", software);
  if (!m.xmp.empty()) texts.emplace_back(kXmpKeyword, m.xmp);
  return texts;
}

}  // namespace

SharedMetadata read_metadata(const VImage& opened, FileKind kind, const std::filesystem::path& path,
                             int page) {
  const MappedFile file(path);
  auto m = std::make_shared<Metadata>();
  m->tags = kind == FileKind::tiff ? tiff_tags(file.bytes(), page) : exif_tags(opened);
  std::erase_if(m->tags,
                [](const Tag& tag) { return is_structural(tag) && tag.id != kOrientation; });
  take_blocks(*m, opened, kind);
  take_texts(*m, opened);
  take_density(*m, kind, file.bytes());
  if (kind == FileKind::png) m->colour = png_colour_chunks(file.bytes());
  if (kind == FileKind::fits && page > 0) take_inherited(*m, file.bytes());
  make_upright(*m, opened);
  forget_old_file(*m);
  return is_empty(*m) ? nullptr : m;
}

VImage with_fields(const VImage& pixels, FileKind kind, const Metadata& metadata) {
  VImage result = pixels.copy();
  if (kind == FileKind::tiff) return result;  // all of it is tags
  const Resolution resolution = resolution_of(metadata);
  if (kind == FileKind::png && resolution.x > 0)
    result = pixels.copy(VImage::option()->set("xres", resolution.x)->set("yres", resolution.y));
  if (kind != FileKind::png && !metadata.xmp.empty())
    put_blob(result, VIPS_META_XMP_NAME, metadata.xmp);
  if (kind == FileKind::jpeg && !metadata.photoshop.empty())
    put_blob(result, VIPS_META_IPTC_NAME, std::string(kPhotoshopHead) + metadata.photoshop);
  return result;
}

std::vector<Tag> tags_to_write(const Metadata& metadata, FileKind kind, int width, int height) {
  std::vector<Tag> tags = metadata.tags;
  for (const auto& [keyword, text] : metadata.texts)
    for (const Twin& twin : kTwins)
      if (kind != FileKind::png && keyword == twin.text && !find(tags, twin.tag))
        put(tags, text_tag(twin.tag, text));
  if (!metadata.cards.empty() && !find(tags, kDescription)) {
    std::string header;
    for (const std::string& card : metadata.cards) header += card + '\n';
    put(tags, text_tag(kDescription, header));
  }
  const Tag* before = find(tags, kSoftware);
  // PNG has a text for it.
  if (!metadata.software.empty() && (kind != FileKind::png || before))
    put(tags,
        text_tag(kSoftware, with_software(before ? text_of(*before) : "", metadata.software)));
  if (find(tags, kExifWidth, Tag::Place::exif))
    put(tags, long_tag(kExifWidth, static_cast<std::uint32_t>(width), Tag::Place::exif));
  if (find(tags, kExifHeight, Tag::Place::exif))
    put(tags, long_tag(kExifHeight, static_cast<std::uint32_t>(height), Tag::Place::exif));
  const auto is_resolution = [](const Tag& tag) {
    return tag.id == kXResolution || tag.id == kYResolution || tag.id == kResolutionUnit;
  };
  // PNG has a place of its own for it.
  if (kind == FileKind::png && resolution_of(metadata).x > 0 &&
      std::ranges::all_of(tags, is_resolution))
    tags.clear();
  if (kind != FileKind::tiff) return tags;
  const auto add = [&](std::uint16_t id, std::uint16_t type, const std::string& bytes) {
    if (!bytes.empty()) put(tags, {Tag::Place::picture, id, type, bytes});
  };
  constexpr std::uint16_t kByte = 1, kUndefined = 7;
  add(kXmp, kByte, metadata.xmp);
  add(kIptc, kUndefined, iptc_of(metadata.photoshop));
  add(kPhotoshop, kByte, metadata.photoshop);
  return tags;
}

void write_with_metadata(std::string_view encoded, FileKind kind, const Metadata& metadata,
                         int width, int height, const Sink& sink) {
  std::vector<Tag> tags = tags_to_write(metadata, kind, width, height);
  std::string exif = tags.empty() ? std::string() : to_exif(tags);
  while (kind == FileKind::jpeg && exif.size() > kMostExifInJpeg) {
    tags.erase(std::ranges::max_element(tags, {}, [](const Tag& tag) { return tag.bytes.size(); }));
    exif = to_exif(tags);
  }
  switch (kind) {
    case FileKind::jpeg:
      return sink(jpeg_with(encoded, exif, jpeg_density_of(metadata)));
    case FileKind::png:
      return png_with(encoded, exif, png_texts(metadata), metadata.colour,
                      resolution_of(metadata).x > 0, sink);
    case FileKind::webp:
      return sink(webp_with(encoded, exif, width, height));
    default:
      return sink(encoded);
  }
}

}  // namespace unmar::image
