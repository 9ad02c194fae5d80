#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace unmar::cli {
namespace {

// CLI11 writes "--name: " before what a check returns; usage_error drops the colon.
constexpr const char* kMust = "must be ";

CLI::Validator number_check(double low, double high, bool whole) {
  const auto check = [low, high, whole](std::string& text) -> std::string {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc{} && stop == end && value >= low && value <= high &&
        (!whole || text.find_first_not_of("0123456789") == std::string::npos))
      return {};
    return fmt::format("{}{} {} and {}, got {}", kMust,
                       whole ? "a whole number between" : "between", low, high, text);
  };
  return CLI::Validator(check, "");
}

/// The commands that are not hidden: "denoise, inpaint, ..."
std::string commands_of(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  return fmt::format("{}", fmt::join(names, ", "));
}

/// CLI11's text without its capital letter and with our word order.
std::string reworded(const CLI::ParseError& error) {
  std::string text = error.what();
  if (text.size() > 1 && std::isupper(text[0]) && std::islower(text[1]))
    text[0] = static_cast<char>(std::tolower(text[0]));
  if (const auto colon = text.find(std::string(": ") + kMust); colon != std::string::npos)
    text.erase(colon, 1);
  const std::size_t colon = text.find(": 1 required ");
  if (colon != std::string::npos) return text.substr(0, colon) + " needs a value";
  return text;
}

}  // namespace

CLI::Validator in_range(double low, double high) { return number_check(low, high, false); }
CLI::Validator whole_in_range(double low, double high) { return number_check(low, high, true); }

CLI::Validator one_of(std::vector<std::string> words) {
  const auto check = [words](std::string& text) -> std::string {
    if (std::find(words.begin(), words.end(), text) != words.end()) return {};
    return fmt::format("{}one of {}, got {}", kMust, fmt::join(words, ", "), text);
  };
  return CLI::Validator(check, "");
}

std::string usage_error(const CLI::App& program, const CLI::ParseError& error,
                        const std::string& first_word) {
  const auto commands = program.get_subcommands();
  if (!commands.empty()) {
    const std::string& name = commands.front()->get_name();
    return fmt::format("{}: {}; see unmar {} --help", name, reworded(error), name);
  }
  if (first_word.rfind('-', 0) != 0)
    return fmt::format("there is no command '{}'; the commands are {}", first_word,
                       commands_of(program));
  return fmt::format("{} is not an option of unmar itself; see unmar --help", first_word);
}

}  // namespace unmar::cli
