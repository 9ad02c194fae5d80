#pragma once

#include <string>
#include <string_view>

namespace unmar::data {

/// A name out of a file for an error's one line: without control characters, and not too long.
inline std::string printable(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  std::string text(name.substr(0, kLongest));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return name.size() > kLongest ? text + "..." : text;
}

}  // namespace unmar::data
