#include "output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <unmar/error.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& option, const fs::path& path, std::string_view why) {
  throw Error(ErrorCode::io, fmt::format("{}: '{}' {}", option, path.string(), why));
}

/// The file that a chain of links leads to; renaming onto a link would replace the link.
fs::path target_of(const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(path, error);
  return error ? path : target;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void write_all(const fs::path& to, std::string_view text, const std::string& option,
               const fs::path& named) {
  errno = 0;
  std::ofstream file(to, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file) return;
  const int error = errno;
  refuse(option, named,
         fmt::format("cannot be written: {}; nothing was written",
                     error ? std::strerror(error) : "unknown reason"));
}

/// So that after a power cut a new name does not stand for no bytes. Errors: not every file system
/// can, and then nothing is worse than before.
void sync(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)fsync(file);
  close(file);
}

}  // namespace

void check_text_writable(const fs::path& path, const std::string& option) {
  const fs::path target = target_of(path);
  std::error_code error;
  if (fs::is_directory(target, error)) refuse(option, path, "is a folder; give the name of a file");
  const bool special = fs::exists(target, error) && !fs::is_regular_file(target, error);
  const fs::path needed = special ? target : folder_of(target);
  if (!fs::exists(needed, error))
    refuse(option, path, "cannot be written: its folder does not exist; make it first");
  if (access(needed.c_str(), W_OK) != 0)
    refuse(option, path,
           fmt::format("cannot be written: {}; choose another place", std::strerror(errno)));
}

std::string read_text(const fs::path& path, const std::string& option) {
  std::error_code error;
  if (fs::is_directory(path, error)) refuse(option, path, "is a folder; give the name of a file");
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) refuse(option, path, "cannot be read; check the name");
  return text;
}

void write_text(const fs::path& path, std::string_view text, const std::string& option) {
  const fs::path target = target_of(path);
  std::error_code error;
  // A device such as /dev/null must be written to, never replaced by a file.
  if (fs::exists(target, error) && !fs::is_regular_file(target, error))
    return write_all(target, text, option, path);

  const fs::path temporary =
      folder_of(target) / fmt::format(".{}.{}.tmp", target.filename().string(), getpid());
  try {
    write_all(temporary, text, option, path);
    sync(temporary);
    fs::rename(temporary, target, error);
    if (error) refuse(option, path, "cannot be written: " + error.message());
    sync(folder_of(target));
  } catch (...) {
    fs::remove(temporary, error);
    throw;
  }
}

void prepare_folder(const fs::path& path, const std::string& option) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path))
    refuse(option, path, "is not a folder and cannot be made one; choose another name");
  if (access(path.c_str(), W_OK) != 0)
    refuse(option, path,
           fmt::format("cannot be written: {}; choose another folder", std::strerror(errno)));
}

}  // namespace unmar::cli
