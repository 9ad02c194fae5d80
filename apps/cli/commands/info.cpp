#include <fmt/format.h>
#include <unmar/base/process.h>
#include <unmar/engine/engine.h>
#include <unmar/image/pages.h>
#include <unmar/noise/noise.h>
#include <unmar/runs/request.h>
#include <unmar/tasks/options.h>
#include <unmar/tasks/version.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "console.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

std::string free_memory(const DeviceInfo& device) {
  if (device.memory_free == 0) return "free memory not known";
  return fmt::format("{:.1f} GiB free", static_cast<double>(device.memory_free) / (1 << 30));
}

int show_program() {
  print("unmar    {}\nlibvips  {}\ncores    {}\nengines:\n", version(), libvips_version(),
        core_count());
  for (const std::string& name : engine_names())
    for (const DeviceInfo& device : make_engine(name)->devices())
      print("  {:<7}{}: {}, {}\n", name, device.name, device.description, free_memory(device));
  return 0;
}

std::string facts_of(const ImageInfo& info) {
  ImageSource source;
  source.format = info.format;
  source.numbers = info.numbers;
  return fmt::format("{}x{} px, {}, {}, {}{}{}", info.width, info.height,
                     info.channels == 1   ? "gray"
                     : info.channels == 3 ? "RGB"
                                          : fmt::format("{} channels", info.channels),
                     to_string(source), info.loader, info.has_alpha ? ", alpha" : "",
                     info.has_icc_profile ? ", colour profile" : "");
}

/// "3..7", each run of pages that are alike on one line.
void list(const std::vector<PageInfo>& pages) {
  const auto line_of = [](const PageInfo& page) {
    return fmt::format("{}{}{}", facts_of(page.image), page.name.empty() ? "" : ", " + page.name,
                       page.milliseconds > 0 ? fmt::format(", {} ms", page.milliseconds) : "");
  };
  for (std::size_t first = 0; first < pages.size();) {
    std::size_t end = first + 1;
    while (end < pages.size() && line_of(pages[end]) == line_of(pages[first])) ++end;
    const std::string numbers = end - first == 1 ? fmt::format("page {}", first + 1)
                                                 : fmt::format("pages {}..{}", first + 1, end);
    print("  {}: {}\n", numbers, line_of(pages[first]));
    first = end;
  }
}

int show_picture(const std::filesystem::path& path) {
  const std::vector<PageInfo> pages = list_pages(path);
  if (pages.size() == 1) {
    print("{}: {}\n", path.string(), facts_of(pages.front().image));
  } else {
    print("{}: {} pages\n", path.string(), pages.size());
    list(pages);
    print("page 1: ");
  }
  constexpr double kMostMissing = 0.5;
  const Image image = read_image(path, {.max_missing = kMostMissing});
  print("{}\n", to_string(estimate_noise(image)));
  say_warning(path, image.source);
  return 0;
}

}  // namespace

void add_info_commands(CLI::App& program, Action& chosen) {
  const auto path = std::make_shared<std::filesystem::path>();  // shared with the callback below
  CLI::App* info = program.add_subcommand(
      "info", "Show versions and engines, or the facts of a picture and what noise is in it");
  info->footer("Examples:\n  unmar info\n  unmar info photo.png");
  info->add_option("PICTURE", *path, "a picture")->group("Files");
  info->callback([path, &chosen] {
    chosen = [path] { return path->empty() ? show_program() : show_picture(*path); };
  });

  // For the docs, and for programs that make forms of the options.
  const auto command = std::make_shared<std::string>();
  CLI::App* options = program.add_subcommand("options", "Print docs/options.md")->group("");
  options->add_option("--schema", *command, "print a command's options as a JSON schema instead")
      ->type_name("COMMAND");
  options->callback([command, &chosen] {
    chosen = [command] {
      print("{}", command->empty() ? options_markdown() : command_schema(*command));
      return 0;
    };
  });
}

}  // namespace unmar::cli
