#include "pictures.h"

#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/image/pages.h>
#include <unmar/runs/pages.h>

#include <CLI/CLI.hpp>

#include "checks.h"
#include "console.h"

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
                  "largest picture to accept, in megapixels (default 100, in tiles any)")
      ->type_name("MPX")
      ->check(in_range(1e-6, 1e6))
      ->group("Pictures");
  command
      .add_option("--range", range,
                  "which stored values become black and white: those of the file's format (full), "
                  "the least and the greatest in the picture (data), those given, as 0..4095 or "
                  "0.1..99.9%, or data without outliers for 16-bit and float pictures that use "
                  "little of their format, else full (auto, the default)")
      ->type_name("auto|full|data|LOW..HIGH|P..Q%")
      ->group("Pictures");
}

void PictureArguments::declare_outliers(CLI::App& command) {
  command
      .add_option("--outliers", outliers,
                  "what becomes of values far outside of the range, which the fit does not see: "
                  "single ones (hot pixels, cosmic rays) are filled and extended ones (saturated "
                  "stars, scale bars) stay what they were (auto, the default), or all do one")
      ->type_name("keep|fill|auto")
      ->check(one_of({"keep", "fill", "auto"}))
      ->group("Pictures");
}

void PictureArguments::declare_region(CLI::App& command) {
  command
      .add_option("--region", region,
                  "restore this part of the picture only: to try options before a long run; range "
                  "and outliers are those of the whole")
      ->type_name("X,Y,WxH")
      ->group("Pictures");
}

ReadOptions PictureArguments::read_options() const {
  ReadOptions options;
  if (!region.empty()) options.region = region_of(region);
  options.max_megapixels = max_megapixels;
  parse_range(range, options);
  options.outliers = outliers_named(outliers);
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

Image PictureArguments::read(const std::filesystem::path& path) const {
  Image image = read_image(path, read_options(path));
  say_warning(path, image.source);
  return image;
}

void say_warning(const std::filesystem::path& path, const ImageSource& source) {
  if (const std::string& warning = source.warning; !warning.empty())
    say("warning: {}: {}", path.string(), warning);
}

void declare_writing(CLI::App& command, WriteOptions& options, const std::string& quality) {
  command
      .add_option(
          "--quality", options.quality,
          fmt::format("of JPEG and WebP; 100 makes WebP lossless (1 to 100, default {})", quality))
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
