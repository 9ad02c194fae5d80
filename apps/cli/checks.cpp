#include "checks.h"

#include <fmt/format.h>
#include <unmar/base/error.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace unmar::cli {
namespace {

// CLI11 writes "--name: " before what a check returns; usage_error drops the colon.
constexpr const char* kMust = "must be ";

template <class T>
bool is_between(const std::string& text, double low, double high) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // As T: as a double 2^53 + 1 is 2^53.
  return error == std::errc{} && stop == end && value >= static_cast<T>(low) &&
         value <= static_cast<T>(high);
}

CLI::Validator number_check(double low, double high, bool whole) {
  const auto check = [low, high, whole](std::string& text) -> std::string {
    if (whole ? is_between<std::uint64_t>(text, low, high) : is_between<double>(text, low, high))
      return {};
    return fmt::format("{}{} {} and {}, got {}", kMust,
                       whole ? "a whole number between" : "between", low, high, text);
  };
  return CLI::Validator(check, "");
}

/// The commands that are not hidden.
std::vector<std::string> names_of(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  return names;
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

/// "; did you mean '--sigma'?" if an option of `command` is what was not known.
std::string suggestion(const CLI::App& command, const CLI::ParseError& error) {
  if (!dynamic_cast<const CLI::ExtrasError*>(&error)) return "";
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& word : command.remaining())
    if (word.rfind("--", 0) == 0)
      return fmt::format("; did you mean {}?", closest(word.substr(0, word.find('=')), known));
  return "";
}

/// The deepest command that was given: "unmar networks show".
const CLI::App& given_command(const CLI::App& program, std::string& path) {
  const auto commands = program.get_subcommands();
  if (commands.empty()) return program;
  path += " " + commands.front()->get_name();
  return given_command(*commands.front(), path);
}

/// A command of `parent` is missing, or there is none called `word`.
std::string command_error(const CLI::App& parent, const std::string& word) {
  const std::vector<std::string> names = names_of(parent);
  if (word.empty()) return fmt::format("say which: {}", fmt::join(names, ", "));
  return fmt::format("there is no command '{}'; did you mean {}? The commands are {}", word,
                     closest(word, names), fmt::join(names, ", "));
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
  std::string path;
  const CLI::App& command = given_command(program, path);
  if (&command != &program) {
    if (command.get_require_subcommand_min() > 0) {
      const std::vector<std::string> words = command.remaining();
      return fmt::format("{}: {}; see unmar{} --help", command.get_name(),
                         command_error(command, words.empty() ? "" : words.front()), path);
    }
    const std::string more = suggestion(command, error);
    return fmt::format("{}: {}{} see unmar{} --help", command.get_name(), reworded(error),
                       more.empty() ? ";" : more, path);
  }
  if (first_word.rfind('-', 0) != 0) return command_error(program, first_word);
  return fmt::format("{} is not an option of unmar itself; see unmar --help", first_word);
}

}  // namespace unmar::cli
