#include <unmar/image/image.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "checks.h"
#include "commands.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

struct SheetArguments {
  std::vector<std::string> pictures;  // FILE or FILE=CAPTION
  fs::path output;
  int columns = 3, height = 256;
  PictureArguments reading;
};

struct Captioned {
  Image image;
  std::string caption;
};

Captioned read_captioned(const std::string& word, const PictureArguments& reading) {
  const auto sign = word.find('=');
  // A name may hold the sign itself.
  if (sign == std::string::npos || fs::exists(word))
    return {reading.read(word), fs::path(word).filename().string()};
  return {reading.read(word.substr(0, sign)), word.substr(sign + 1)};
}

int run(const SheetArguments& arguments) {
  check_writable(arguments.output);
  std::vector<Captioned> pictures;
  for (const std::string& word : arguments.pictures)
    pictures.push_back(read_captioned(word, arguments.reading));
  std::vector<std::vector<Panel>> rows;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (i % static_cast<std::size_t>(arguments.columns) == 0) rows.emplace_back();
    rows.back().push_back({&pictures[i].image, pictures[i].caption});
  }
  write_image(arguments.output, contact_sheet(rows, arguments.height));
  return 0;
}

}  // namespace

void add_sheet_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<SheetArguments>();  // shared with the callback below
  CLI::App* command =
      program.add_subcommand("sheet", "Put pictures side by side on one sheet, with captions");
  command->footer(
      "Examples:\n"
      "  unmar sheet before.png after.png -o sheet.png\n"
      "  unmar sheet \"noisy.png=noisy, 20.2 dB\" \"out.png=restored, 29.1 dB\" -o sheet.png");
  command
      ->add_option("PICTURES", a->pictures,
                   "pictures, row by row; FILE=CAPTION for another caption than the file's name")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)  // all of them, not the last one
      ->group("Files");
  command->add_option("-o,--output", a->output, "where to write the sheet")
      ->required()
      ->type_name("OUT")
      ->group("Files");
  command->add_option("--columns", a->columns, "pictures in a row (default 3)")
      ->type_name("N")
      ->check(whole_in_range(1, 100))
      ->group("Sheet");
  command
      ->add_option("--height", a->height, "of the pictures on the sheet, in pixels (default 256)")
      ->type_name("PX")
      ->check(whole_in_range(1, 4096))
      ->group("Sheet");
  a->reading.declare(*command);
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
