#include "unmar/base/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

#include "base/fail.h"
#include "base/temporary_file.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(std::string_view where, const fs::path& path, std::string_view why) {
  fail(ErrorCode::io, "{}: '{}' {}", where, path.string(), why);
}

/// A device, a pipe: it must be written to, never replaced by a file.
bool is_special(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void write_into(const fs::path& path, std::string_view text, std::string_view where) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file)
    refuse(where, path,
           fmt::format("cannot be written: {}", errno ? std::strerror(errno) : "unknown reason"));
}

}  // namespace

std::string read_text(const fs::path& path, std::string_view where) {
  std::error_code error;
  if (fs::is_directory(path, error)) refuse(where, path, "is a folder; give the name of a file");
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) refuse(where, path, "cannot be read; check the name");
  return text;
}

void write_text(const fs::path& path, std::string_view text, std::string_view where) {
  if (is_special(path)) return write_into(path, text, where);
  TemporaryFile file(where, path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

fs::path without_links(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as Linux has it
  fs::path target = path;
  std::error_code error;
  for (int i = 0; i < kMostLinks && fs::is_symlink(target, error); ++i) {
    const fs::path to = fs::read_symlink(target, error);
    if (error) break;
    target = target.parent_path() / to;  // an absolute one replaces all
  }
  return target;
}

void check_text_writable(const fs::path& path, std::string_view where) {
  std::error_code error;
  const fs::path target = without_links(path);
  if (fs::is_directory(target, error)) refuse(where, path, "is a folder; give the name of a file");
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const fs::path& needed = is_special(target) ? target : folder;
  if (!fs::exists(needed, error))
    refuse(where, path, "cannot be written: its folder does not exist; make it first");
  if (access(needed.c_str(), W_OK) != 0)
    refuse(where, path,
           fmt::format("cannot be written: {}; choose another place", std::strerror(errno)));
}

void prepare_folder(const fs::path& path, std::string_view where) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path, error))
    refuse(where, path, "is not a folder and cannot be made one; choose another name");
  if (access(path.c_str(), W_OK) != 0)
    refuse(where, path,
           fmt::format("cannot be written: {}; choose another folder", std::strerror(errno)));
}

}  // namespace unmar
