#include "image/fits_read.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "image/metadata.h"

namespace unmar::image {
namespace {

using vips::VImage;

constexpr std::size_t kFitsBlock = 2880, kFitsCard = 80;

std::int64_t whole_value(const std::vector<std::string>& cards, std::string_view key,
                         std::int64_t otherwise) {
  const std::string text = fits_value(cards, key);
  return text.empty() ? otherwise : std::atoll(text.c_str());
}

double real_value(const std::vector<std::string>& cards, std::string_view key, double otherwise) {
  std::string text = fits_value(cards, key);
  std::ranges::replace(text, 'D', 'E');
  return text.empty() ? otherwise : std::strtod(text.c_str(), nullptr);
}

/// The next header and its data; without cards if there is none.
FitsHdu next_hdu(std::string_view file) {
  FitsHdu hdu;
  std::size_t at = 0;
  for (bool ended = false; !ended; at += kFitsCard) {
    if (at + kFitsCard > file.size()) return {};
    hdu.cards.emplace_back(file.substr(at, kFitsCard));
    ended = hdu.cards.back().starts_with("END     ");
  }
  const std::size_t data_at = (at + kFitsBlock - 1) / kFitsBlock * kFitsBlock;
  // Bounds, so that sizes of damaged headers do not overflow.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 48;
  hdu.bitpix =
      static_cast<int>(std::clamp<std::int64_t>(whole_value(hdu.cards, "BITPIX", 0), -64, 64));
  std::uint64_t values = 1;
  const auto axes = std::min<std::int64_t>(whole_value(hdu.cards, "NAXIS", 0), 999);
  for (std::int64_t axis = 1; axis <= axes; ++axis) {
    hdu.sides.push_back(whole_value(hdu.cards, "NAXIS" + std::to_string(axis), 0));
    const auto side = static_cast<std::uint64_t>(std::max<std::int64_t>(hdu.sides.back(), 0));
    values = side != 0 && values > kMost / side ? kMost : values * side;
  }
  if (hdu.sides.empty()) values = 0;
  const auto heap = static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(whole_value(hdu.cards, "PCOUNT", 0), 0, std::int64_t{kMost}));
  const std::uint64_t size = (values + heap) * static_cast<std::uint64_t>(std::abs(hdu.bitpix) / 8);
  const std::uint64_t end = data_at + (size + kFitsBlock - 1) / kFitsBlock * kFitsBlock;
  hdu.bytes = file.substr(0, std::min<std::uint64_t>(end, file.size()));
  if (data_at <= file.size()) hdu.data = file.substr(data_at, size);
  const std::string& first = hdu.cards.front();
  const bool kind = first.starts_with("SIMPLE  =") || fits_value(hdu.cards, "XTENSION") == "IMAGE";
  hdu.is_image =
      kind && hdu.sides.size() >= 2 && values > 0 && fits_value(hdu.cards, "GROUPS") != "T";
  hdu.is_compressed_image =
      fits_value(hdu.cards, "XTENSION") == "BINTABLE" && fits_value(hdu.cards, "ZIMAGE") == "T";
  return hdu;
}

VipsBandFormat format_of_bitpix(int bitpix) {
  switch (bitpix) {
    case 8:
      return VIPS_FORMAT_UCHAR;
    case 16:
      return VIPS_FORMAT_SHORT;
    case 32:
      return VIPS_FORMAT_INT;
    case -32:
      return VIPS_FORMAT_FLOAT;
    case -64:
      return VIPS_FORMAT_DOUBLE;
    default:
      return VIPS_FORMAT_NOTSET;
  }
}

[[noreturn]] void refuse(const std::string& why) {
  vips_error("fits", "%s", why.c_str());
  throw vips::VError();
}

VImage plane_of(const FitsHdu& hdu, std::size_t plane, VipsBandFormat format) {
  const auto width = static_cast<int>(hdu.sides[0]), height = static_cast<int>(hdu.sides[1]);
  const std::size_t size = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                           vips_format_sizeof(format);
  if (hdu.data.size() < (plane + 1) * size) refuse("the data end too soon");
  // libvips borrows the bytes and does not change them.
  auto* data = const_cast<char*>(hdu.data.data() + plane * size);
  const VImage stored = VImage::new_from_memory(data, size, width, height, 1, format);
  return (format == VIPS_FORMAT_UCHAR ? stored : stored.byteswap())
      .flip(VIPS_DIRECTION_VERTICAL)
      .copy_memory();
}

}  // namespace

std::vector<FitsHdu> fits_hdus(std::string_view file) {
  std::vector<FitsHdu> hdus;
  while (file.size() >= kFitsBlock) {
    FitsHdu hdu = next_hdu(file);
    const bool begins = !hdu.cards.empty() && (hdus.empty() ? file.starts_with("SIMPLE  =")
                                                            : file.starts_with("XTENSION="));
    if (!begins) break;
    file.remove_prefix(hdu.bytes.size());
    hdus.push_back(std::move(hdu));
  }
  return hdus;
}

VImage load_hdu(const FitsHdu& hdu) {
  const VipsBandFormat format = format_of_bitpix(hdu.bitpix);
  if (format == VIPS_FORMAT_NOTSET) refuse("values of BITPIX " + std::to_string(hdu.bitpix));
  constexpr std::int64_t kMostSide = 1 << 24, kMostPlanes = 1024;
  std::int64_t planes = 1;
  for (std::size_t axis = 2; axis < hdu.sides.size(); ++axis) planes *= hdu.sides[axis];
  if (hdu.sides[0] > kMostSide || hdu.sides[1] > kMostSide || planes > kMostPlanes)
    refuse("too many rows, columns or planes");
  std::vector<VImage> bands;
  for (std::int64_t plane = 0; plane < planes; ++plane)
    bands.push_back(plane_of(hdu, static_cast<std::size_t>(plane), format));
  VImage pixels = bands.size() == 1 ? bands.front() : VImage::bandjoin(bands);
  const double scale = real_value(hdu.cards, "BSCALE", 1), zero = real_value(hdu.cards, "BZERO", 0);
  if (hdu.bitpix == 16 && scale == 1 && zero == 32768)
    pixels = pixels.linear(1, 32768).cast(VIPS_FORMAT_USHORT);
  else if (scale != 1 || zero != 0)
    pixels = pixels.cast(VIPS_FORMAT_DOUBLE).linear(scale, zero).cast(VIPS_FORMAT_FLOAT);
  const bool wide = pixels.format() == VIPS_FORMAT_USHORT;
  const bool colours = bands.size() >= 3;
  pixels = pixels.copy(VImage::option()->set(
      "interpretation", colours ? (wide ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB)
                                : (wide ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W)));
  for (std::size_t i = 0; i < hdu.cards.size(); ++i)
    pixels.set(("fits-" + std::to_string(i)).c_str(), hdu.cards[i].c_str());
  return pixels.copy_memory();
}

std::string fits_value(const std::vector<std::string>& cards, std::string_view key) {
  for (const std::string& card : cards) {
    if (card.size() < 10 || card.compare(8, 2, "= ") != 0 || !card.starts_with(key)) continue;
    if (key.size() < 8 && card[key.size()] != ' ') continue;
    const std::size_t begin = card.find_first_not_of(' ', 10);
    if (begin == card.npos) return {};
    const bool quoted = card[begin] == '\'';
    std::string value = quoted ? card.substr(begin + 1, card.find('\'', begin + 1) - begin - 1)
                               : card.substr(begin, card.find('/', begin) - begin);
    while (value.ends_with(' ')) value.pop_back();
    return value;
  }
  return {};
}

}  // namespace unmar::image
