#include "unmar/tasks/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/fail.h"
#include "base/list_with_or.h"
#include "tasks/presets.h"
#include "tasks/task.h"

namespace unmar {
namespace {

using Kind = OptionSpec::Kind;

[[noreturn]] void refuse(Task task, const OptionSpec& spec, const std::string& got) {
  fail(ErrorCode::bad_argument, "{}: --{} must be {}, got {} ({})", to_string(task), spec.name,
       allowed_values(spec), got, spec.help.substr(0, spec.help.find(';')));
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

std::optional<OptionValue> parse(const OptionSpec& spec, std::string_view text) {
  switch (spec.kind) {
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
OptionValue widened(const OptionSpec& spec, const OptionValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole && spec.kind == Kind::number)
    return static_cast<double>(*whole);
  return value;
}

bool allowed(const OptionSpec& spec, const OptionValue& value) {
  const auto among_choices = [&] {
    return std::find(spec.choices.begin(), spec.choices.end(), to_text(value)) !=
           spec.choices.end();
  };
  switch (spec.kind) {
    case Kind::flag:
      return std::holds_alternative<bool>(value);
    case Kind::integer: {
      const auto* whole = std::get_if<std::int64_t>(&value);
      if (!whole) return false;
      if (!spec.choices.empty()) return among_choices();
      return static_cast<double>(*whole) >= spec.low && static_cast<double>(*whole) <= spec.high;
    }
    case Kind::number: {
      const auto* real = std::get_if<double>(&value);
      return real && *real >= spec.low && *real <= spec.high;  // false for NaN
    }
    case Kind::choice:
      return std::holds_alternative<std::string>(value) && among_choices();
    case Kind::text:
      return std::holds_alternative<std::string>(value) && !std::get<std::string>(value).empty();
  }
  return false;
}

void check_served(Task task, const OptionSpec& spec) {
  if (spec.serves(task)) return;
  std::vector<std::string> names;
  for (const Task other : spec.tasks) names.emplace_back(to_string(other));
  fail(ErrorCode::bad_argument, "{}: --{} is not an option of this task; it belongs to {}",
       to_string(task), spec.name, list_with_or(names));
}

/// Whether a network file says this too.
bool describes_network(const OptionSpec& spec) {
  return spec.name == "network" || !spec.networks.empty();
}

void check_network(Task task, const RestoreOptions& given, const std::string& network) {
  for (const OptionSpec& spec : option_table()) {
    if (!describes_network(spec) || !spec.get(given)) continue;
    if (given.custom_network)
      fail(ErrorCode::bad_argument,
           "{}: --{} is given beside a network file; write it into the file or leave the file out",
           to_string(task), spec.name);
    if (!spec.serves_network(network))
      fail(ErrorCode::bad_argument, "{}: --{} is not an option of network '{}'; it belongs to {}",
           to_string(task), spec.name, network, list_with_or(spec.networks));
  }
}

}  // namespace

bool OptionSpec::serves(Task task) const {
  return tasks.empty() || std::find(tasks.begin(), tasks.end(), task) != tasks.end();
}

bool OptionSpec::serves_network(std::string_view name) const {
  return networks.empty() || std::find(networks.begin(), networks.end(), name) != networks.end();
}

const OptionSpec& option_spec(std::string_view name) {
  for (const OptionSpec& spec : option_table())
    if (spec.name == name) return spec;
  fail(ErrorCode::bad_argument, "options: there is no option '{}'; see docs/options.md", name);
}

std::string allowed_values(const OptionSpec& spec) {
  switch (spec.kind) {
    case Kind::flag:
      return "true or false";
    case Kind::integer:
      if (!spec.choices.empty()) return list_with_or(spec.choices);
      return fmt::format("a whole number from {} to {}", static_cast<std::int64_t>(spec.low),
                         static_cast<std::int64_t>(spec.high));
    case Kind::number:
      return fmt::format("between {} and {}", spec.low, spec.high);
    case Kind::choice:
      return list_with_or(spec.choices);
    case Kind::text:
      return spec.choices.empty() ? "a name" : list_with_or(spec.choices);
  }
  return {};
}

std::string to_text(const OptionValue& value) {
  if (const auto* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.4g}", *real);
  return std::get<std::string>(value);
}

void set_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                const OptionValue& given) {
  check_served(task, spec);
  const OptionValue value = widened(spec, given);
  if (!allowed(spec, value)) refuse(task, spec, exact(value));
  spec.put(options, value);
}

void parse_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                  std::string_view text) {
  const auto value = parse(spec, text);
  if (!value) refuse(task, spec, fmt::format("'{}'", text));
  set_option(options, task, spec, *value);
}

RestoreOptions resolve(Task task, const RestoreOptions& given) {
  RestoreOptions checked;
  for (const OptionSpec& spec : option_table())
    if (const auto value = spec.get(given)) set_option(checked, task, spec, *value);
  checked.custom_network = given.custom_network;
  checked.guide = given.guide;
  checked.blur_kernel = given.blur_kernel;
  if (const auto check = task_spec(task).check) check(checked);

  const RestoreOptions preset = preset_options(task, checked);
  check_network(task, checked, preset.network.value());
  RestoreOptions resolved;
  resolved.custom_network = given.custom_network;
  resolved.guide = given.guide;
  resolved.blur_kernel = given.blur_kernel;
  for (const OptionSpec& spec : option_table()) {
    if (!spec.serves(task) || !spec.serves_network(*preset.network)) continue;
    if (checked.custom_network && describes_network(spec)) continue;
    auto value = spec.get(checked);
    if (!value) value = spec.get(preset);
    if (value) spec.put(resolved, *value);
  }
  return resolved;
}

std::optional<OptionValue> preset_value(const OptionSpec& spec, Task task, Preset preset) {
  RestoreOptions given;
  given.preset = preset;
  return spec.get(preset_options(task, given));
}

}  // namespace unmar
