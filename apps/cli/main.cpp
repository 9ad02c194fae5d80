#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/tasks/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>
#include <sstream>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "help.h"
#include "interrupt.h"

namespace unmar::cli {
namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

int say_error(std::string text, int code) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  say("error: {}", text);
  return code;
}

int end(int code) {
  if (flush_printed()) return code;
  return say_error("standard output cannot be written; is the disk full?", kFailure);
}

int run(int argc, char** argv) {
  CLI::App program("Restore one damaged picture, with no training data (Deep Image Prior)",
                   "unmar");
  program.formatter(std::make_shared<HelpFormatter>());
  program.set_help_flag("-h,--help", "show this text");
  program.set_version_flag("--version", std::string("unmar ") + version(), "show the version");
  program.require_subcommand(1);
  // An option given twice, say by a script and its caller: the later one counts.
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  program.footer(
      "Examples:\n"
      "  unmar denoise noisy.png -o clean.png\n"
      "  unmar inpaint scratched.png --mask mask.png -o whole.png\n"
      "  unmar upscale small.png --factor 4 -o large.png\n\n"
      "unmar COMMAND --help tells more. Exit code: 0 done (also if Ctrl-C ended a fit early),\n"
      "1 failed, 2 wrong usage.");

  Action chosen;
  add_restore_commands(program, chosen);
  add_refine_command(program, chosen);
  add_resume_command(program, chosen);
  add_pick_command(program, chosen);
  add_degrade_command(program, chosen);
  add_compare_command(program, chosen);
  add_compare_priors_command(program, chosen);
  add_sheet_command(program, chosen);
  add_networks_command(program, chosen);
  add_profile_command(program, chosen);
  add_ddpm_commands(program, chosen);
  add_gan_commands(program, chosen);
  add_jobs_commands(program, chosen);
  add_info_commands(program, chosen);

  if (argc < 2) {
    print("{}", program.help());
    return end(0);
  }
  try {
    std::vector<std::string> arguments = without_plan({argv + 1, argv + argc});
    std::ranges::reverse(arguments);  // as CLI11 takes them
    program.parse(std::move(arguments));
  } catch (const CLI::Success& help_or_version) {
    std::ostringstream text;
    program.exit(help_or_version, text, text);
    print("{}", text.str());
    return end(0);
  } catch (const CLI::ParseError& error) {
    return say_error(usage_error(program, error, argv[1]), kUsage);
  }
  return end(chosen());
}

}  // namespace
}  // namespace unmar::cli

int main(int argc, char** argv) {
  using namespace unmar::cli;
  open_console();
  guard_endings();
  try {
    return run(argc, argv);
  } catch (const unmar::Error& error) {
    return say_error(error.what(),
                     error.code() == unmar::ErrorCode::bad_argument ? kUsage : kFailure);
  } catch (const std::bad_alloc&) {
    return say_error("not enough memory; try a smaller picture, fewer --channels or fewer --scales",
                     kFailure);
  } catch (const std::exception& error) {
    return say_error(error.what(), kFailure);
  }
}
