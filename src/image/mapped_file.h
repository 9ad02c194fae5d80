#pragma once

#include <glib.h>

#include <filesystem>
#include <string_view>

namespace unmar::image {

/// The bytes of a file while it lives; none if it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path)
      : file_(g_mapped_file_new(path.c_str(), FALSE, nullptr)) {}
  ~MappedFile() {
    if (file_) g_mapped_file_unref(file_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const {
    if (!file_ || !g_mapped_file_get_contents(file_)) return {};
    return {g_mapped_file_get_contents(file_), g_mapped_file_get_length(file_)};
  }

 private:
  GMappedFile* file_;
};

}  // namespace unmar::image
