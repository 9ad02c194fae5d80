#include "pictures.h"

#include <fmt/format.h>
#include <unmar/error.h>

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

Image PictureArguments::read(const std::filesystem::path& path) const {
  return read_image(path, read_options());
}

Image PictureArguments::read_like(const Image& model, const std::filesystem::path& path) const {
  ReadOptions options = read_options();
  if (read_image_info(path).format == model.source.format) options.fixed_range = model.source.range;
  return read_image(path, options);
}

Image PictureArguments::read_mask(const std::filesystem::path& path) const {
  ReadOptions options = read_options();
  options.range = RangeMode::full;
  return read_image(path, options);
}

const char* to_string(SampleFormat format) {
  switch (format) {
    case SampleFormat::u8:
      return "8 bit";
    case SampleFormat::u16:
      return "16 bit";
    case SampleFormat::f32:
      return "float";
  }
  return "?";
}

std::string describe(const Image& image) {
  return fmt::format("{}x{} px, {}, {}", image.width(), image.height(),
                     image.channels() == 1 ? "gray" : "RGB", to_string(image.source.format));
}

}  // namespace unmar::cli
