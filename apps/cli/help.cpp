#include "help.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

namespace unmar::cli {
namespace {

constexpr std::size_t kTermWidth = 28;  // of the column with the options' names
constexpr std::size_t kLineWidth = 96;

/// "  term      text", the text wrapped below itself.
std::string entry(const std::string& term, const std::string& text) {
  std::string out = "  " + term;
  std::size_t column = out.size();
  if (column + 1 >= kTermWidth) {
    out += '\n';
    column = 0;
  }
  out.append(kTermWidth - column, ' ');
  column = kTermWidth;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column > kTermWidth && column + 1 + word.size() > kLineWidth) {
      out += '\n' + std::string(kTermWidth, ' ');
      column = kTermWidth;
    }
    if (column > kTermWidth) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + '\n';
}

/// Those of show_in_short_help(); CLI11's options have no place for a mark of ours.
std::set<const CLI::Option*>& short_options() {
  static std::set<const CLI::Option*> options;
  return options;
}

/// The options that a help text shows.
std::vector<const CLI::Option*> shown(const CLI::App* app, bool all) {
  const auto options = app->get_options();
  const auto& chosen = short_options();
  const bool splits =
      app->get_help_all_ptr() != nullptr &&
      std::any_of(options.begin(), options.end(), [&](auto* o) { return chosen.count(o) > 0; });
  if (all || !splits) return {options.begin(), options.end()};
  std::vector<const CLI::Option*> some;
  for (const CLI::Option* option : options)
    if (option->get_required() || option == app->get_help_ptr() ||
        option == app->get_help_all_ptr() || chosen.count(option) > 0)
      some.push_back(option);
  return some;
}

bool is_flag(const CLI::Option* option) { return option->get_items_expected_max() == 0; }

/// "-o, --output FILE", "--[no-]average", "IN"
std::string term(const CLI::Option* option) {
  if (option->get_positional()) return option->get_name(true, false);
  std::string names;
  for (const std::string& name : option->get_snames()) names += "-" + name + ", ";
  const auto& longs = option->get_lnames();
  const bool switchable = longs.size() == 2 && longs[1] == "no-" + longs[0];
  names += (switchable ? "--[no-]" : "--") + longs.front();
  if (!switchable)
    for (std::size_t i = 1; i < longs.size(); ++i) names += ", --" + longs[i];
  return is_flag(option) ? names : names + " " + option->get_type_name();
}

std::string usage(const CLI::App* app, const std::string& name) {
  std::string line = "Usage: " + name;
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional())
      line += (option->get_required() ? " " : " [") + term(option) +
              (option->get_required() ? "" : "]");
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_positional() || !option->get_required()) continue;
    const auto& shorts = option->get_snames();
    line += " " + (shorts.empty() ? "--" + option->get_lnames().front() : "-" + shorts.front()) +
            " " + option->get_type_name();
  }
  const bool has_commands = !app->get_subcommands(nullptr).empty();
  const char* rest = !has_commands                           ? " [options]"
                     : app->get_require_subcommand_min() > 0 ? " COMMAND ..."
                                                             : " [COMMAND] [options]";
  return line + rest + "\n";
}

/// In the order of their first option; the help flag, which CLI11 declares first, comes last.
std::vector<std::string> groups_of(const std::vector<const CLI::Option*>& options) {
  const std::string unnamed = "Options";
  std::vector<std::string> groups;
  for (const CLI::Option* option : options) {
    const std::string& group = option->get_group();
    if (!group.empty() && group != unnamed &&
        std::find(groups.begin(), groups.end(), group) == groups.end())
      groups.push_back(group);
  }
  groups.push_back(unnamed);
  return groups;
}

}  // namespace

CLI::Option* show_in_short_help(CLI::Option* option) {
  short_options().insert(option);
  return option;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  name = app->get_name();
  for (const CLI::App* p = app->get_parent(); p; p = p->get_parent())
    name = p->get_name() + " " + name;
  std::string text = app->get_description() + "\n\n" + usage(app, name);

  std::string commands;
  for (const CLI::App* command : app->get_subcommands(nullptr)) {
    const std::string& about = command->get_description();
    if (!command->get_group().empty())
      commands += entry(command->get_name(), about.substr(0, about.find('\n')));
  }
  if (!commands.empty()) text += "\nCommands:\n" + commands;

  const auto options = shown(app, mode == CLI::AppFormatMode::All);
  for (const std::string& group : groups_of(options)) {
    text += "\n" + group + ":\n";
    for (const CLI::Option* option : options)
      if (option->get_group() == group) text += entry(term(option), option->get_description());
  }
  const std::string footer = app->get_footer();
  return footer.empty() ? text : text + "\n" + footer + "\n";
}

}  // namespace unmar::cli
