#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace unmar::cli {

/// Help texts in our own layout, so that they do not change with the version of CLI11.
class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
};

}  // namespace unmar::cli
