#include <fmt/format.h>
#include <unmar/engine/engine.h>
#include <unmar/noise/noise.h>
#include <unmar/runs/request.h>
#include <unmar/tasks/options.h>
#include <unmar/tasks/version.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <thread>

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
        std::thread::hardware_concurrency());
  for (const std::string& name : engine_names())
    for (const DeviceInfo& device : make_engine(name)->devices())
      print("  {:<7}{}: {}, {}\n", name, device.name, device.description, free_memory(device));
  return 0;
}

int show_picture(const std::filesystem::path& path) {
  const ImageInfo info = read_image_info(path);
  print("{}: {}x{} px, {}, {}, {}{}{}\n", path.string(), info.width, info.height,
        info.channels == 1 ? "gray" : "RGB", to_string(info.format), info.loader,
        info.has_alpha ? ", alpha" : "", info.has_icc_profile ? ", colour profile" : "");
  print("{}\n", to_string(estimate_noise(read_image(path))));
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
