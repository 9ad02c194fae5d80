#pragma once

#include <unmar/image/image.h>
#include <unmar/operators/operators.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace CLI {
class App;  // its header takes seconds to compile
}

namespace unmar::cli {

/// --max-pixels, --range, --outliers and --page: how the pictures of a command are read.
struct PictureArguments {
  std::optional<double> max_megapixels;
  std::string range = "auto", outliers = "auto";
  std::string region;  ///< empty: all of the picture
  std::string page;    ///< N, FIRST..LAST or all; empty: the only one

  /// several_pages: the command takes more than one.
  void declare(CLI::App& command, bool several_pages = false);
  /// For those that restore.
  void declare_outliers(CLI::App& command);
  void declare_region(CLI::App& command);
  /// But for the page.
  ReadOptions read_options() const;
  /// With the page, if the file has several. throws Error{bad_argument} unless it is one.
  ReadOptions read_options(const std::filesystem::path& path) const;
  Image read(const std::filesystem::path& path) const;  ///< and says what was wrong with it
};

/// What was wrong with the file of the picture, if anything was.
void say_warning(const std::filesystem::path& path, const ImageSource& source);

/// --quality and --strip: how a result is written.
/// quality: what the default is, in words.
void declare_writing(CLI::App& command, WriteOptions& options, const std::string& quality = "95");

/// --blur in words. throws Error, opened by `where`, if that is neither one nor the name of a file.
std::unique_ptr<Operator> blur_in_words(const std::string& text, const char* where);

}  // namespace unmar::cli
