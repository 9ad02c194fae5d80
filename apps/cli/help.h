#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace unmar::cli {

/// --help of a command with --help-all shows only such options and what is required. Returns the
/// option.
CLI::Option* show_in_short_help(CLI::Option* option);

/// Help texts in our own layout, so that they do not change with the version of CLI11.
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

}  // namespace unmar::cli
