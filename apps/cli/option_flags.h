#pragma once

#include <unmar/tasks/options.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace unmar::cli {

/// One option as a flag of the command; `take` gets what is given, of a flag "true" or "false".
/// notes: what stands in parentheses behind the help, may be empty.
CLI::Option* declare_option(CLI::App& command, const OptionInfo& option, const std::string& notes,
                            std::function<void(const std::string&)> take);

/// "iterations, default 50": for the notes.
std::string unit_and_default(const OptionInfo& option, const std::optional<OptionValue>& value);

/// All options of a table. What is given is checked and written to `options`; both are borrowed
/// until the command line was read. where: opens the errors.
template <class O>
void declare_options(CLI::App& command, const std::vector<Option<O>>& table, O& options,
                     const char* where) {
  for (const Option<O>& option : table)
    declare_option(command, option, unit_and_default(option, option.get(options)),
                   [&option, &options, where](const std::string& text) {
                     option.put(options, parse_value(option, text, where));
                   });
}

/// The same, and `given` gets the options that are given.
template <class O>
void declare_noted_options(CLI::App& command, const std::vector<Option<O>>& table, O& options,
                           std::vector<const OptionInfo*>& given, const char* where) {
  for (const Option<O>& option : table)
    declare_option(command, option, unit_and_default(option, option.get(options)),
                   [&option, &options, &given, where](const std::string& text) {
                     option.put(options, parse_value(option, text, where));
                     given.push_back(&option);
                   });
}

/// One row of the tasks' table.
void declare_option(CLI::App& command, const OptionSpec& spec, Task task, RestoreOptions& options);

/// An option of the tasks' table as it was given, not looked at yet.
struct GivenOption {
  const OptionSpec* spec;
  std::string text;
};
/// The same for a command that learns its task from its own line: collects what is given, for
/// parse_option().
void declare_option(CLI::App& command, const OptionSpec& spec, std::vector<GivenOption>& given);

/// "512x384", width x height, as the shape of a colour picture. throws Error{bad_argument}.
Shape parse_size(const std::string& text);

}  // namespace unmar::cli
