#pragma once

#include <unmar/options.h>

#include <CLI/CLI.hpp>
#include <string>

namespace unmar::cli {

/// One row of the option table as a flag of the command, which writes to `options`; both are
/// borrowed until the command line was read.
void declare_option(CLI::App& command, const OptionSpec& spec, Task task, RestoreOptions& options);

/// "512x384", width x height, as the shape of a colour picture. throws Error{bad_argument}.
Shape parse_size(const std::string& text);

}  // namespace unmar::cli
