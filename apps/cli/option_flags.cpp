#include "option_flags.h"

#include <fmt/format.h>
#include <unmar/base/error.h>

#include <charconv>

#include "help.h"

namespace unmar::cli {
namespace {

std::string shown(const OptionInfo& option, const OptionValue& value) {
  if (option.kind == OptionInfo::Kind::flag) return std::get<bool>(value) ? "on" : "off";
  return to_text(value);
}

/// "levels, default 4, best 5, paper 5"
std::string unit_and_presets(const OptionSpec& spec, Task task) {
  const auto quick = preset_value(spec, task, Preset::quick);
  std::string notes = unit_and_default(spec, quick);
  if (!quick || spec.name == "preset") return notes;
  for (const auto& [preset, name] : {std::pair{Preset::best, "best"}, {Preset::paper, "paper"}})
    if (const auto value = preset_value(spec, task, preset); value && value != quick)
      notes += fmt::format(", {} {}", name, shown(spec, *value));
  return notes;
}

std::string placeholder(const OptionInfo& option) {
  using Kind = OptionInfo::Kind;
  if (!option.placeholder.empty()) return option.placeholder;
  if (!option.choices.empty()) return fmt::format("{}", fmt::join(option.choices, "|"));
  return option.kind == Kind::integer ? "N" : option.kind == Kind::number ? "X" : "NAME";
}

}  // namespace

std::string unit_and_default(const OptionInfo& option, const std::optional<OptionValue>& value) {
  std::string notes = option.unit;
  if (value) notes += fmt::format("{}default {}", notes.empty() ? "" : ", ", shown(option, *value));
  return notes;
}

CLI::Option* declare_option(CLI::App& command, const OptionInfo& option, const std::string& notes,
                            std::function<void(const std::string&)> take) {
  CLI::Option* declared = nullptr;
  if (option.kind == OptionInfo::Kind::flag) {
    declared = command.add_flag_function(
        fmt::format("--{0},!--no-{0}", option.name),
        [take](std::int64_t count) { take(count > 0 ? "true" : "false"); });
  } else {
    std::string names = "--" + option.name;
    if (!option.alias.empty()) names += "," + option.alias;
    declared = command.add_option_function<std::string>(names, take);
    declared->type_name(placeholder(option));
  }
  declared->description(notes.empty() ? option.help : fmt::format("{} ({})", option.help, notes));
  declared->group(option.group);
  if (option.required) declared->required();
  if (option.basic) show_in_short_help(declared);
  return declared;
}

void declare_option(CLI::App& command, const OptionSpec& spec, Task task, RestoreOptions& options) {
  declare_option(command, spec, unit_and_presets(spec, task),
                 [&spec, task, &options](const std::string& text) {
                   parse_option(options, task, spec, text);
                 });
}

void declare_option(CLI::App& command, const OptionSpec& spec, std::vector<GivenOption>& given) {
  std::vector<std::string> notes;
  if (!spec.tasks.empty()) {
    notes.push_back("with --task");
    for (const Task task : spec.tasks)
      if (task_info(task).refines) notes.back() += fmt::format(" {}", to_string(task));
  }
  if (!spec.unit.empty()) notes.push_back(spec.unit);
  OptionInfo option = spec;
  option.required = false;  // that depends on the task
  declare_option(command, option, fmt::format("{}", fmt::join(notes, ", ")),
                 [&spec, &given](const std::string& text) {
                   given.push_back({&spec, text});
                 });
}

Shape parse_size(const std::string& text) {
  Shape shape{1, 3, 0, 0};
  const char* end = text.data() + text.size();
  const auto w = std::from_chars(text.data(), end, shape.w);
  if (w.ec == std::errc{} && w.ptr != end && *w.ptr == 'x') {
    const auto h = std::from_chars(w.ptr + 1, end, shape.h);
    constexpr int kMost = 32768;
    if (h.ec == std::errc{} && h.ptr == end && shape.w >= 1 && shape.h >= 1 && shape.w <= kMost &&
        shape.h <= kMost)
      return shape;
  }
  throw Error(
      ErrorCode::bad_argument,
      fmt::format("--size must be WIDTHxHEIGHT with sides from 1 to 32768, got '{}'", text));
}

}  // namespace unmar::cli
