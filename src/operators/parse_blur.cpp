#include <charconv>
#include <optional>
#include <vector>

#include "base/fail.h"
#include "unmar/operators/operators.h"

namespace unmar {
namespace {

/// "9,30" -> 9, 30; nothing if that is not a list of numbers.
std::optional<std::vector<double>> numbers(std::string_view text) {
  std::vector<double> list;
  const char *at = text.data(), *end = text.data() + text.size();
  while (true) {
    double value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return std::nullopt;
    list.push_back(value);
    if (stop == end) return list;
    if (*stop != ',') return std::nullopt;
    at = stop + 1;
  }
}

}  // namespace

std::unique_ptr<Operator> parse_blur(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  struct Form {
    std::string_view kind, form;
    std::size_t count;
  };
  for (const Form& known :
       {Form{"gauss", "gauss:SIGMA", 1}, Form{"motion", "motion:LENGTH,ANGLE", 2},
        Form{"disk", "disk:RADIUS", 1}}) {
    if (kind != known.kind) continue;
    const auto given = colon == text.npos ? std::nullopt : numbers(text.substr(colon + 1));
    if (!given || given->size() != known.count)
      fail(ErrorCode::bad_argument, "blur '{}': give {}, numbers with a point and no blanks", text,
           known.form);
    if (kind == "gauss") return make_gaussian_blur(given->at(0));
    if (kind == "disk") return make_disk_blur(given->at(0));
    return make_motion_blur(given->at(0), given->at(1));
  }
  fail(ErrorCode::bad_argument,
       "blur '{}': is none of gauss:SIGMA, motion:LENGTH,ANGLE and disk:RADIUS", text);
}

}  // namespace unmar
