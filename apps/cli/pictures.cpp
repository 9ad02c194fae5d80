#include "pictures.h"

#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/image/pages.h>
#include <unmar/runs/pages.h>

#include <CLI/CLI.hpp>

#include "checks.h"

namespace unmar::cli {

void PictureArguments::declare(CLI::App& command, bool several_pages) {
  CLI::Option* pages = command.add_option(
      "--page", page,
      several_pages
          ? "which pages of a stack, frames of an animation or images of a FITS file; all are "
            "written back as such a file, some as a shorter one (default the only one)"
          : "which page of a stack, frame of an animation or image of a FITS file (default the "
            "only one)");
  pages->type_name(several_pages ? "N|FIRST..LAST|all" : "N")->group("Pictures");
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

ReadOptions PictureArguments::read_options(const std::filesystem::path& path) const {
  ReadOptions options = read_options();
  if (count_pages(path) == 1) return options;
  const std::vector<int> pages = chosen_pages(page, path);
  if (pages.size() > 1)
    throw Error(ErrorCode::bad_argument,
                fmt::format("--page {}: this command takes one page; give its number", page));
  options.page = pages.front();
  return options;
}

void declare_writing(CLI::App& command, WriteOptions& options) {
  command
      .add_option("--quality", options.quality,
                  "of JPEG and WebP; 100 makes WebP lossless (1 to 100, default 95)")
      ->type_name("N")
      ->check(whole_in_range(1, 100))
      ->group("Files");
  command
      .add_flag("--strip", options.strip,
                "leave out what IN tells beside its pixels: resolution, EXIF, texts, keywords")
      ->group("Files");
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
