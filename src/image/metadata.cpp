#include "image/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace unmar {
namespace image {
namespace {

constexpr double kMillimetresPerInch = 25.4, kMillimetresPerCentimetre = 10;
constexpr std::string_view kResourcesHead{"Photoshop 3.0\0", 14};
constexpr std::uint16_t kIptcResource = 0x0404;

/// Calls body(id, its bytes with head, its data) for each.
template <class Body>
void for_resources(std::string_view bytes, Body body) {
  const auto number = [&](std::size_t at, std::size_t size) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  for (std::size_t at = 0; at + 12 <= bytes.size() && bytes.substr(at, 4) == "8BIM";) {
    const std::size_t name = (number(at + 6, 1) + 2) / 2 * 2;  // with its length, even
    const std::size_t size_at = at + 6 + name;
    if (size_at + 4 > bytes.size()) return;
    const std::size_t size = number(size_at, 4);
    if (size > bytes.size() - size_at - 4) return;
    const std::size_t end = std::min(size_at + 4 + (size + 1) / 2 * 2, bytes.size());
    body(number(at + 4, 2), bytes.substr(at, end - at), bytes.substr(size_at + 4, size));
    at = end;
  }
}

/// "0.25" times the factor; what is no number as it is.
std::string times(const std::string& text, double factor) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{}) return text;
  if (stop != end && *stop == '/') {  // a rational of XMP
    double below = 0;
    if (std::from_chars(stop + 1, end, below).ptr != end || below == 0) return text;
    return fmt::format("{}/1000000", std::llround(value / below * factor * 1e6));
  }
  return stop == end ? fmt::format("{:.15g}", value * factor) : text;
}

std::string with_times(std::string text, std::initializer_list<std::string_view> names,
                       double factor) {
  for (const std::string_view name : names)
    text = with_values(std::move(text), name,
                       [&](const std::string& value) { return times(value, factor); });
  return text;
}

void change_numbers(Tag& tag, std::size_t stride, auto change) {
  for (std::size_t at = 0; (at + stride) * sizeof(double) <= tag.bytes.size(); at += stride)
    for (std::size_t i = 0; i < stride; ++i) {
      double value = 0;
      char* place = tag.bytes.data() + (at + i) * sizeof(double);
      std::memcpy(&value, place, sizeof value);
      value = change(i, value);
      std::memcpy(place, &value, sizeof value);
    }
}

/// The first two of every `stride`.
void scale_numbers(Tag& tag, double factor, std::size_t stride) {
  change_numbers(tag, stride, [&](std::size_t i, double v) { return i < 2 ? v * factor : v; });
}

constexpr std::uint16_t kTiePoint = 33922;

void rescale_tags(std::vector<Tag>& tags, double factor) {
  constexpr std::uint16_t kFocalPlaneX = 41486, kFocalPlaneY = 41487;
  // Pixel sizes in the makers' own ways: of electron microscopes and Zeiss'.
  for (const int id : {34118, 34412, 34680, 34682}) remove(tags, static_cast<std::uint16_t>(id));
  for (Tag& tag : tags) {
    const auto place = tag.place;
    if (tag.id == kXResolution || tag.id == kYResolution || tag.id == kFocalPlaneX ||
        tag.id == kFocalPlaneY) {
      if (const auto value = number_of(tag)) {
        tag = rational_tag(tag.id, *value * factor);
        tag.place = place;
      }
    } else if (tag.id == kPixelScale) {
      scale_numbers(tag, 1 / factor, 3);
    } else if (tag.id == kTiePoint) {
      scale_numbers(tag, factor, 6);
    } else if (tag.id == kDescription && place == Tag::Place::picture) {
      std::string text = with_times(text_of(tag), {"PhysicalSizeX", "PhysicalSizeY"}, 1 / factor);
      if (text.find("<OME") != text.npos)
        text = with_times(std::move(text), {"SizeX", "SizeY"}, factor);
      tag = text_tag(kDescription, text);
    }
  }
}

/// "images=5\n" taken out, or with another number.
void set_line(std::string& text, const std::string& key, const std::string& value) {
  const std::size_t at = text.find("\n" + key + "=");
  if (at == text.npos) return;
  const std::size_t end = std::min(text.find('\n', at + 1), text.size());
  text.replace(at, end - at, value.empty() ? "" : "\n" + key + "=" + value);
}

std::string imagej_for_pages(std::string text, int pages) {
  const std::string count = std::to_string(pages);
  for (const char* key : {"channels", "frames", "hyperstack", "mode"}) set_line(text, key, "");
  for (const char* key : {"images", "slices"}) set_line(text, key, pages > 1 ? count : "");
  if (pages > 1 && text.find("\nslices=") == text.npos) text += "slices=" + count + "\n";
  return text;
}

/// Takes out every element of that name.
std::string without_elements(std::string text, const std::string& name) {
  for (std::size_t at = 0; (at = text.find("<" + name, at)) != text.npos;) {
    std::size_t end = text.find('>', at);
    if (end == text.npos) break;
    if (text[end - 1] != '/') {
      const std::string close = "</" + name + ">";
      end = text.find(close, end);
      if (end == text.npos) break;
      end += close.size() - 1;
    }
    text.erase(at, end + 1 - at);
  }
  return text;
}

std::string ome_for_pages(std::string text, int pages) {
  const auto one = [](const std::string&) { return std::string("1"); };
  for (const char* name : {"SizeC", "SizeT"}) text = with_values(std::move(text), name, one);
  text = with_values(std::move(text), "SizeZ",
                     [&](const std::string&) { return std::to_string(pages); });
  // Which page is which no longer holds; without a list they are taken in order.
  text = without_elements(std::move(text), "TiffData");
  const std::size_t close = text.find("</Pixels>");
  if (close != text.npos) text.insert(close, "<TiffData/>");
  return text;
}

}  // namespace

void forget_old_file(Metadata& metadata) {
  const Tag* tag = find(metadata.tags, kDescription);
  if (!tag) return;
  const std::string text = text_of(*tag);
  if (text.find("<OME") != text.npos && text.find("<UUID") != text.npos)
    put(metadata.tags, text_tag(kDescription, without_elements(text, "UUID")));
}

Resolution resolution_of(const Metadata& metadata) {
  const auto number = [&](std::uint16_t id) {
    const Tag* tag = find(metadata.tags, id);
    return tag ? number_of(*tag).value_or(0) : 0;
  };
  const double unit = number(kResolutionUnit);
  const double x = number(kXResolution), y = number(kYResolution);
  if (!(x > 0) || !(y > 0) || unit == 1) return {};
  const double length = unit == 3 ? kMillimetresPerCentimetre : kMillimetresPerInch;
  return {x / length, y / length, unit != 3};
}

std::string photoshop_resources(std::string_view bytes) {
  constexpr std::array<std::size_t, 9> kOfTheFile{0x03ED,           // resolution
                                                  0x0406,           // quality of JPEG
                                                  0x0409, 0x040C,   // thumbnails
                                                  0x040F,           // colour profile
                                                  0x0422, 0x0423,   // EXIF
                                                  0x0424, 0x0435};  // XMP, names of alpha channels
  if (bytes.starts_with(kResourcesHead)) bytes.remove_prefix(kResourcesHead.size());
  std::string kept;
  for_resources(bytes, [&](std::size_t id, std::string_view whole, std::string_view) {
    if (std::ranges::find(kOfTheFile, id) == kOfTheFile.end()) kept += whole;
    if (kept.size() % 2 != 0) kept += '\0';
  });
  return kept;
}

std::string iptc_of(std::string_view resources) {
  std::string iptc;
  for_resources(resources, [&](std::size_t id, std::string_view, std::string_view data) {
    if (id == kIptcResource) iptc = data;
  });
  return iptc;
}

std::string resources_of_iptc(std::string_view iptc) {
  std::string text("8BIM\x04\x04\0\0", 8);
  for (int shift = 24; shift >= 0; shift -= 8)
    text += static_cast<char>(iptc.size() >> shift & 0xff);
  text += iptc;
  if (text.size() % 2 != 0) text += '\0';
  return text;
}

}  // namespace image

SharedMetadata rescaled(const SharedMetadata& metadata, double factor) {
  if (!metadata || factor == 1) return metadata;
  auto result = std::make_shared<Metadata>(*metadata);
  image::rescale_tags(result->tags, factor);
  result->xmp =
      image::with_times(std::move(result->xmp),
                        {"tiff:XResolution", "tiff:YResolution", "tiff:ImageWidth",
                         "tiff:ImageLength", "exif:PixelXDimension", "exif:PixelYDimension"},
                        factor);
  result->cards = image::rescaled_cards(std::move(result->cards), factor);
  return result;
}

SharedMetadata cropped(const SharedMetadata& metadata, const Rect& part, int height) {
  if (!metadata) return metadata;
  auto result = std::make_shared<Metadata>(*metadata);
  for (image::Tag& tag : result->tags) {
    if (tag.id == image::kTiePoint)
      image::change_numbers(tag, 6, [&](std::size_t i, double value) {
        return i == 0 ? value - part.x : i == 1 ? value - part.y : value;
      });
    const std::string text = image::text_of(tag);
    if (tag.id != image::kDescription || text.find("<OME") == text.npos) continue;
    const auto set = [](std::string all, const char* key, int value) {
      return image::with_values(std::move(all), key,
                                [&](const std::string&) { return std::to_string(value); });
    };
    tag = image::text_tag(tag.id, set(set(text, "SizeX", part.width), "SizeY", part.height));
  }
  const bool top_down = image::is_top_down(result->cards);
  result->cards = image::shifted_cards(std::move(result->cards), part.x,
                                       top_down ? part.y : height - part.y - part.height);
  return result;
}

SharedMetadata with_provenance(const SharedMetadata& metadata, std::string_view line) {
  auto result = metadata ? std::make_shared<Metadata>(*metadata) : std::make_shared<Metadata>();
  result->software = line;
  return result;
}

SharedMetadata for_pages(const SharedMetadata& metadata, int pages) {
  if (!metadata) return nullptr;
  const image::Tag* tag = image::find(metadata->tags, image::kDescription);
  if (!tag) return metadata;
  std::string text = image::text_of(*tag);
  if (text.starts_with("ImageJ="))
    text = image::imagej_for_pages(std::move(text), pages);
  else if (text.find("<OME") != text.npos)
    text = image::ome_for_pages(std::move(text), pages);
  else
    return metadata;
  auto result = std::make_shared<Metadata>(*metadata);
  put(result->tags, image::text_tag(image::kDescription, text));
  return result;
}

}  // namespace unmar
