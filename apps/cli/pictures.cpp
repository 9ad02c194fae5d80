#include "pictures.h"

#include <fmt/format.h>
#include <unmar/base/error.h>

#include <CLI/CLI.hpp>

#include "checks.h"

namespace unmar::cli {

void PictureArguments::declare(CLI::App& command) {
  command
      .add_option("--max-pixels", max_megapixels,
                  "largest picture to accept, in megapixels (default 100)")
      ->type_name("MPX")
      ->check(in_range(1e-6, 1e6))
      ->group("Pictures");
  command
      .add_option("--range", range,
                  "which stored values become black and white: those of the file's format (full), "
                  "the least and the greatest in the picture (data), or data only for 16-bit and "
                  "float pictures that use little of their format (automatic, the default)")
      ->type_name("RANGE")
      ->check(one_of({"automatic", "full", "data"}))
      ->group("Pictures");
}

ReadOptions PictureArguments::read_options() const {
  ReadOptions options;
  options.max_megapixels = max_megapixels;
  if (range == "full") options.range = RangeMode::full;
  if (range == "data") options.range = RangeMode::data;
  return options;
}

std::unique_ptr<Operator> blur_in_words(const std::string& text, const char* where) {
  try {
    return parse_blur(text);
  } catch (const Error& error) {
    throw Error(
        error.code(),
        fmt::format("{}: {}{}", where, error.what(),
                    text.find(':') == text.npos ? "; nor is there a file of that name" : ""));
  }
}

}  // namespace unmar::cli
