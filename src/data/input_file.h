#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace unmar::data {

/// A regular file, opened for reading. All errors are Error{io}, their text starting with `where`;
/// Error{bad_input} for a git-lfs pointer.
class InputFile {
 public:
  InputFile(std::string_view where, const std::filesystem::path& path);
  std::uintmax_t size() const { return size_; }
  /// The next bytes. throws Error{bad_input} if the file ends before.
  void read(std::span<std::byte> dst);

 private:
  void refuse_pointer();

  std::string where_;
  std::filesystem::path path_;
  std::uintmax_t size_ = 0;
  std::ifstream stream_;
};

/// throws Error{too_large} above `limit` bytes.
std::string read_text(std::string_view where, const std::filesystem::path& path,
                      std::uintmax_t limit);

}  // namespace unmar::data
