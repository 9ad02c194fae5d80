#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <vips/vips8>

namespace unmar::image {

/// A header with its data.
struct FitsHdu {
  std::string_view bytes;  ///< all of it, in whole blocks as far as they are there
  std::string_view data;   ///< without what fills the last block
  std::vector<std::string> cards;
  int bitpix = 0;
  std::vector<std::int64_t> sides;
  bool is_image = false;             ///< of 2 or more sides, uncompressed
  bool is_compressed_image = false;  ///< a table that holds one (fpack)
};

/// Of a file that is not compressed as a whole; borrows it. Ends where the file is damaged.
std::vector<FitsHdu> fits_hdus(std::string_view file);

/// As libvips loads the first: planes are bands, the first row is at the bottom, each card is a
/// field "fits-N". throws vips::VError.
vips::VImage load_hdu(const FitsHdu& hdu);

/// The value of a keyword, without quotes and blanks around it; empty: there is none.
std::string fits_value(const std::vector<std::string>& cards, std::string_view key);

}  // namespace unmar::image
