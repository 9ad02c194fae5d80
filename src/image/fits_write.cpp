#include "image/fits_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>

namespace unmar::image {
namespace {

using vips::VImage;

constexpr std::size_t kBlock = 2880;

void fill_block(std::string& bytes, char with) {
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock, with);
}

std::string header_of(const VImage& pixels, const Metadata& metadata, bool primary,
                      bool extensions_follow) {
  const VipsBandFormat format = pixels.format();
  const bool is_float = vips_band_format_isfloat(format);
  const std::string bitpix =
      fmt::format("{}{}", is_float ? "-" : "", 8 * vips_format_sizeof(format));
  std::string header = primary ? fits_card("SIMPLE", "T", "conforms to FITS standard")
                               : fits_card("XTENSION", "'IMAGE   '          ");
  header += fits_card("BITPIX", bitpix, "bits per value");
  header += fits_card("NAXIS", pixels.bands() > 1 ? "3" : "2");
  header += fits_card("NAXIS1", std::to_string(pixels.width()));
  header += fits_card("NAXIS2", std::to_string(pixels.height()));
  if (pixels.bands() > 1) header += fits_card("NAXIS3", std::to_string(pixels.bands()));
  if (!primary) header += fits_card("PCOUNT", "0") + fits_card("GCOUNT", "1");
  if (extensions_follow) header += fits_card("EXTEND", "T");
  if (format == VIPS_FORMAT_USHORT || format == VIPS_FORMAT_UINT)
    header += fits_card("BZERO", format == VIPS_FORMAT_UINT ? "2147483648" : "32768",
                        "unsigned numbers") +
              fits_card("BSCALE", "1");
  if (primary)
    for (const std::string& card : metadata.inherited) header += card;
  for (const std::string& card : metadata.cards) header += card;
  if (!metadata.software.empty())
    for (const std::string& card : history_cards(metadata.software)) header += card;
  header += "END";
  fill_block(header, ' ');
  return header;
}

template <class Sample, class Bits, class Convert>
void write_data(const VImage& pixels, bool top_down, const Sink& sink, Convert convert) {
  const auto width = static_cast<std::size_t>(pixels.width());
  const auto bands = static_cast<std::size_t>(pixels.bands());
  const std::unique_ptr<VipsRegion, void (*)(void*)> region(vips_region_new(pixels.get_image()),
                                                            &g_object_unref);
  std::string bytes(width * sizeof(Bits), '\0');
  for (std::size_t band = 0; band < bands; ++band)
    for (int row = 0; row < pixels.height(); ++row) {
      const int y = top_down ? row : pixels.height() - 1 - row;
      const VipsRect rect{0, y, pixels.width(), 1};
      if (vips_region_prepare(region.get(), &rect) != 0) throw vips::VError();
      const auto* samples = reinterpret_cast<const Sample*>(VIPS_REGION_ADDR(region.get(), 0, y));
      std::size_t at = 0;
      for (std::size_t x = 0; x < width; ++x) {
        const Bits bits = convert(samples[x * bands + band]);
        for (std::size_t shift = 8 * sizeof(Bits); shift > 0; shift -= 8)
          bytes[at++] = static_cast<char>(bits >> (shift - 8) & 0xff);
      }
      sink(bytes);
    }
}

}  // namespace

void write_fits_hdu(const VImage& pixels, const Metadata& metadata, bool primary,
                    bool extensions_follow, const Sink& sink) {
  sink(header_of(pixels, metadata, primary, extensions_follow));
  const bool top_down = is_top_down(metadata.cards);
  const auto write = [&]<class Sample, class Bits>(Sample, Bits flip) {
    write_data<Sample, Bits>(pixels, top_down, sink, [flip](Sample value) {
      return static_cast<Bits>(std::bit_cast<Bits>(value) ^ flip);
    });
  };
  switch (pixels.format()) {
    case VIPS_FORMAT_UCHAR:
      write(std::uint8_t{}, std::uint8_t{});
      break;
    case VIPS_FORMAT_USHORT:  // FITS has signed numbers only, with an offset
      write(std::uint16_t{}, std::uint16_t{0x8000});
      break;
    case VIPS_FORMAT_SHORT:
      write(std::int16_t{}, std::uint16_t{});
      break;
    case VIPS_FORMAT_UINT:
      write(std::uint32_t{}, std::uint32_t{0x80000000});
      break;
    case VIPS_FORMAT_INT:
      write(std::int32_t{}, std::uint32_t{});
      break;
    case VIPS_FORMAT_DOUBLE:
      write(double{}, std::uint64_t{});
      break;
    default:
      write(float{}, std::uint32_t{});
  }
  const std::size_t rest = VIPS_IMAGE_SIZEOF_IMAGE(pixels.get_image()) % kBlock;
  if (rest > 0) sink(std::string(kBlock - rest, '\0'));
}

}  // namespace unmar::image
