#pragma once

#include <unmar/image/image.h>
#include <unmar/operators/operators.h>

#include <filesystem>
#include <memory>
#include <string>

namespace CLI {
class App;  // its header takes seconds to compile
}

namespace unmar::cli {

/// --max-pixels, --range and --outliers: how the pictures of a command are read.
struct PictureArguments {
  double max_megapixels = 100;
  std::string range = "auto", outliers = "auto";

  void declare(CLI::App& command);
  void declare_outliers(CLI::App& command);  ///< for those that restore
  ReadOptions read_options() const;
  Image read(const std::filesystem::path& path) const { return read_image(path, read_options()); }
};

/// --blur in words. throws Error, opened by `where`, if that is neither one nor the name of a file.
std::unique_ptr<Operator> blur_in_words(const std::string& text, const char* where);

}  // namespace unmar::cli
