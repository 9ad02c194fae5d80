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
  Image read(const std::filesystem::path& path) const { return read_image(path, read_options()); }
};

}  // namespace unmar::cli
