#pragma once

#include <unmar/tasks/options.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace unmar::cli {

/// One row of the option table as a flag of the command, which writes to `options`; both are
/// borrowed until the command line was read.
void declare_option(CLI::App& command, const OptionSpec& spec, Task task, RestoreOptions& options);

/// An option of the table as it was given, not looked at yet.
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
