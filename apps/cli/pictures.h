#pragma once

#include <unmar/image.h>

#include <filesystem>
#include <string>

namespace CLI {
class App;  // its header takes seconds to compile
}

namespace unmar::cli {

/// --max-pixels and --range: how the pictures of a command are read.
struct PictureArguments {
  double max_megapixels = 100;
  std::string range = "automatic";

  void declare(CLI::App& command);
  ReadOptions read_options() const;
  Image read(const std::filesystem::path& path) const;
  /// Reads a picture that is to be compared with `model`: if both are stored alike, the same
  /// stored values become the same pixel values.
  Image read_like(const Image& model, const std::filesystem::path& path) const;
  Image read_mask(const std::filesystem::path& path) const;
};

std::string describe(const Image& image);    ///< "512x512 px, RGB, 8 bit"
const char* to_string(SampleFormat format);  ///< "8 bit", "16 bit", "float"

}  // namespace unmar::cli
