#include <algorithm>
#include <numeric>

#include "unmar/base/error.h"

namespace unmar {
namespace {

/// Levenshtein's distance: letters to insert, drop or change.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string closest(std::string_view word, const std::vector<std::string>& known) {
  // A name cut short is nearer than any other.
  const auto distance = [&](const std::string& name) {
    return word.size() > 1 && name.starts_with(word) ? 0 : edit_distance(word, name);
  };
  std::size_t least = std::string::npos;
  for (const std::string& name : known) least = std::min(least, distance(name));
  std::string list;
  for (const std::string& name : known)
    if (distance(name) == least) list += (list.empty() ? "'" : " or '") + name + "'";
  return list;
}

}  // namespace unmar
