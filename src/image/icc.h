#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace unmar::image {

/// Whether an ICC profile describes pixels of this many channels (1 gray, 3 RGB).
inline bool profile_fits(std::span<const std::byte> profile, int channels) {
  constexpr std::size_t kHeader = 128, kColourSpaceAt = 16;
  if (profile.size() < kHeader) return false;
  const std::string_view space(reinterpret_cast<const char*>(profile.data()) + kColourSpaceAt, 4);
  return space == (channels == 1 ? "GRAY" : "RGB ");
}

}  // namespace unmar::image
