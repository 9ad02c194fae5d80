#include <fmt/format.h>
#include <unmar/base/error.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "checks.h"
#include "commands.h"
#include "console.h"
#include "json_number.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

struct CompareArguments {
  std::filesystem::path a, b;
  CompareOptions options;
  bool json = false;
  PictureArguments pictures;
};

int run(const CompareArguments& arguments) {
  const Image a = arguments.pictures.read(arguments.a);
  const Image b = read_like(a, arguments.b, arguments.pictures.read_options(arguments.b));
  if (!a.same_size(b))
    throw Error(ErrorCode::bad_input,
                fmt::format("compare: '{}' ({}) and '{}' ({}) differ in size or colour; give two "
                            "pictures of the same kind",
                            arguments.a.string(), describe(a), arguments.b.string(), describe(b)));
  say_warning(arguments.b, b.source);
  const double peak = psnr(a, b, arguments.options);
  const double similarity = ssim(a, b, arguments.options);
  if (arguments.json) {
    const nlohmann::ordered_json result = {{"psnr", number(peak)}, {"ssim", similarity}};
    print("{}\n", result.dump());
  } else {
    print("PSNR {:.2f} dB  SSIM {:.4f}\n", peak, similarity);
  }
  return 0;
}

}  // namespace

void add_compare_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<CompareArguments>();  // shared with the callback below
  CLI::App* command = program.add_subcommand(
      "compare",
      "Measure how alike two pictures are\n\n"
      "PSNR in dB over all colours: more is better, 30 and above is good; equal pictures have no\n"
      "finite one (in JSON null). SSIM: 1 for equal pictures.");
  command->footer(
      "Examples:\n"
      "  unmar compare clean.png restored.png\n"
      "  unmar compare clean.png enlarged.png --luma --border 4    as super-resolution papers do");
  command->add_option("A", a->a, "one picture")->required()->group("Files");
  command->add_option("B", a->b, "the other")->required()->group("Files");
  command->add_flag("--luma", a->options.luma, "compare brightness only (Y of YCbCr)")
      ->group("Comparison");
  command->add_option("--border", a->options.border, "pixels to leave out on each side (default 0)")
      ->type_name("N")
      ->check(whole_in_range(0, 1'000'000))
      ->group("Comparison");
  command->add_flag("--json", a->json, "print one JSON line")->group("Comparison");
  a->pictures.declare(*command);
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
