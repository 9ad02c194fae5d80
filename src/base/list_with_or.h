#pragma once

#include <string>
#include <vector>

namespace unmar {

/// "2, 3, 4 or 8"
inline std::string list_with_or(const std::vector<std::string>& words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " or " : ", ";
    list += words[i];
  }
  return list;
}

}  // namespace unmar
