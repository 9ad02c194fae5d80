#pragma once

#include <glib.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace unmar::image {

/// The bytes of a file while it lives, unpacked if gzip packed it; none if it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile() {
    if (file_) g_mapped_file_unref(file_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const;

 private:
  GMappedFile* file_;
  std::string unpacked_;
};

}  // namespace unmar::image
