#include "unmar/base/option.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/fail.h"
#include "base/list_with_or.h"

namespace unmar {
namespace {

using Kind = OptionInfo::Kind;

[[noreturn]] void refuse(const OptionInfo& option, const std::string& got, std::string_view where) {
  fail(ErrorCode::bad_argument, "{}: {} must be {}, got {} ({})", where, field(option.name),
       allowed_values(option), got, option.help.substr(0, option.help.find(';')));
}

/// As given, not shortened: a value just out of range must show it.
std::string exact(const OptionValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  const std::string text = to_text(value);
  return text.empty() ? "an empty text" : text;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<OptionValue> parse_any(const OptionInfo& option, std::string_view text) {
  switch (option.kind) {
    case Kind::flag:
      if (text == "true") return true;
      if (text == "false") return false;
      break;
    case Kind::integer:
      if (const auto value = parse_number<std::int64_t>(text)) return *value;
      break;
    case Kind::number:
      if (const auto value = parse_number<double>(text)) return *value;
      break;
    case Kind::choice:
    case Kind::text:
      return std::string(text);
  }
  return std::nullopt;
}

/// A whole number is a fine value for a real-valued option.
OptionValue widened(const OptionInfo& option, const OptionValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole && option.kind == Kind::number)
    return static_cast<double>(*whole);
  return value;
}

bool is_allowed(const OptionInfo& option, const OptionValue& value) {
  const auto among_choices = [&] {
    return std::find(option.choices.begin(), option.choices.end(), to_text(value)) !=
           option.choices.end();
  };
  switch (option.kind) {
    case Kind::flag:
      return std::holds_alternative<bool>(value);
    case Kind::integer: {
      const auto* whole = std::get_if<std::int64_t>(&value);
      if (!whole) return false;
      if (!option.choices.empty()) return among_choices();
      // As whole numbers: as a double 2^53 + 1 is 2^53.
      return *whole >= static_cast<std::int64_t>(option.low) &&
             *whole <= static_cast<std::int64_t>(option.high);
    }
    case Kind::number: {
      const auto* real = std::get_if<double>(&value);
      return real && *real >= option.low && *real <= option.high;  // false for NaN
    }
    case Kind::choice:
      return std::holds_alternative<std::string>(value) && among_choices();
    case Kind::text:
      return std::holds_alternative<std::string>(value) && !std::get<std::string>(value).empty();
  }
  return false;
}

}  // namespace

std::string allowed_values(const OptionInfo& option) {
  switch (option.kind) {
    case Kind::flag:
      return "true or false";
    case Kind::integer:
      if (!option.choices.empty()) return list_with_or(option.choices);
      return fmt::format("a whole number from {} to {}", static_cast<std::int64_t>(option.low),
                         static_cast<std::int64_t>(option.high));
    case Kind::number:
      return fmt::format("between {} and {}", option.low, option.high);
    case Kind::choice:
      return list_with_or(option.choices);
    case Kind::text:
      return option.choices.empty() ? "a name" : list_with_or(option.choices);
  }
  return {};
}

std::string to_text(const OptionValue& value) {
  if (const auto* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.4g}", *real);
  return std::get<std::string>(value);
}

OptionValue checked_value(const OptionInfo& option, const OptionValue& given,
                          std::string_view where) {
  OptionValue value = widened(option, given);
  if (!is_allowed(option, value)) refuse(option, exact(value), where);
  return value;
}

OptionValue parse_value(const OptionInfo& option, std::string_view text, std::string_view where) {
  const auto value = parse_any(option, text);
  if (!value) refuse(option, fmt::format("'{}'", text), where);
  return checked_value(option, *value, where);
}

std::size_t option_index(const std::vector<std::string_view>& names, std::string_view name,
                         std::string_view where) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    fail(ErrorCode::bad_argument, "{}: there is no option '{}'; see docs/options.md", where, name);
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<int> parse_list(std::string_view text, std::string_view none, std::string_view name) {
  if (!none.empty() && text == none) return {0};
  std::vector<int> numbers;
  for (const char *at = text.data(), *end = at + text.size();; ++at) {
    int number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number < 1 || (stop != end && *stop != ','))
      fail(ErrorCode::bad_argument,
           "{}: must be whole numbers from 1 on with commas between, got '{}'", field(name), text);
    numbers.push_back(number);
    if (stop == end) return numbers;
    at = stop;
  }
}

std::string list_text(const std::vector<int>& numbers, std::string_view none) {
  if (!none.empty() && numbers == std::vector{0}) return std::string(none);
  return fmt::format("{}", fmt::join(numbers, ","));
}

}  // namespace unmar
