#pragma once

#include <CLI/CLI.hpp>
#include <vector>

namespace unmar::cli {

/// Declares options of a command, group after group of its help text.
class Declaration {
 public:
  explicit Declaration(CLI::App& command) : command_(command) {}

  Declaration& group(const char* name) {
    group_ = name;
    return *this;
  }
  template <class T>
  CLI::Option* add(const char* name, T& value, const char* type, const char* help) {
    return keep(command_.add_option(name, value, help)->type_name(type));
  }
  /// A file without a dash in front.
  template <class T>
  CLI::Option* positional(const char* name, T& value, const std::string& help) {
    return keep(command_.add_option(name, value, help));
  }
  CLI::Option* flag(const char* name, bool& value, const char* help) {
    return keep(command_.add_flag(name, value, help));
  }

  const std::vector<CLI::Option*>& declared() const { return declared_; }

 private:
  CLI::Option* keep(CLI::Option* option) {
    declared_.push_back(option->group(group_));
    return option;
  }

  CLI::App& command_;
  const char* group_ = "";
  std::vector<CLI::Option*> declared_;
};

}  // namespace unmar::cli
