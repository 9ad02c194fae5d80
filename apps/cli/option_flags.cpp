#include "option_flags.h"

#include <fmt/format.h>
#include <unmar/base/error.h>

#include <charconv>

#include "help.h"

namespace unmar::cli {
namespace {

/// "how deep ... (levels, default 4, best 5, paper 5)"
std::string option_help(const OptionSpec& spec, Task task) {
  const auto value_in = [&](Preset preset) -> std::string {
    const auto value = preset_value(spec, task, preset);
    if (!value) return "";
    if (spec.kind == OptionSpec::Kind::flag) return std::get<bool>(*value) ? "on" : "off";
    return to_text(*value);
  };
  const std::string quick = value_in(Preset::quick);
  std::string notes = spec.unit;
  if (!quick.empty()) {
    if (!notes.empty()) notes += ", ";
    notes += "default " + quick;
    const auto differs = [&](Preset preset, const char* name) {
      const std::string value = value_in(preset);
      if (value != quick && spec.name != "preset") notes += fmt::format(", {} {}", name, value);
    };
    differs(Preset::best, "best");
    differs(Preset::paper, "paper");
  }
  return notes.empty() ? spec.help : fmt::format("{} ({})", spec.help, notes);
}

std::string type_name(const OptionSpec& spec) {
  using Kind = OptionSpec::Kind;
  if (!spec.choices.empty()) return fmt::format("{}", fmt::join(spec.choices, "|"));
  return spec.kind == Kind::integer ? "N" : spec.kind == Kind::number ? "X" : "NAME";
}

}  // namespace

void declare_option(CLI::App& command, const OptionSpec& spec, Task task, RestoreOptions& options) {
  CLI::Option* option = nullptr;
  if (spec.kind == OptionSpec::Kind::flag) {
    option = command.add_flag_function(fmt::format("--{0},!--no-{0}", spec.name),
                                       [&spec, task, &options](std::int64_t count) {
                                         set_option(options, task, spec, OptionValue(count > 0));
                                       });
  } else {
    option = command.add_option_function<std::string>(
        "--" + spec.name, [&spec, task, &options](const std::string& text) {
          parse_option(options, task, spec, text);
        });
    option->type_name(type_name(spec));
  }
  option->description(option_help(spec, task))->group(spec.group);
  if (spec.required) option->required();
  if (spec.basic) show_in_short_help(option);
}

void declare_option(CLI::App& command, const OptionSpec& spec, std::vector<GivenOption>& given) {
  CLI::Option* option = nullptr;
  if (spec.kind == OptionSpec::Kind::flag) {
    option = command.add_flag_function(fmt::format("--{0},!--no-{0}", spec.name),
                                       [&spec, &given](std::int64_t count) {
                                         given.push_back({&spec, count > 0 ? "true" : "false"});
                                       });
  } else {
    option = command.add_option_function<std::string>("--" + spec.name,
                                                      [&spec, &given](const std::string& text) {
                                                        given.push_back({&spec, text});
                                                      });
    option->type_name(type_name(spec));
  }
  std::vector<std::string> notes;
  if (!spec.tasks.empty()) {
    notes.push_back("with --task");
    for (const Task task : spec.tasks)
      if (task_info(task).refines) notes.back() += fmt::format(" {}", to_string(task));
  }
  if (!spec.unit.empty()) notes.push_back(spec.unit);
  option->description(notes.empty() ? spec.help
                                    : fmt::format("{} ({})", spec.help, fmt::join(notes, ", ")));
  option->group(spec.group);
  if (spec.basic) show_in_short_help(option);
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
