#include "data/input_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/fail.h"

namespace unmar::data {

namespace fs = std::filesystem;

InputFile::InputFile(std::string_view where, const fs::path& path) : where_(where), path_(path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorCode::io, "{}: '{}' does not exist", where, path.string());
  if (!fs::is_regular_file(status))  // also keeps pipes, which would block, from being opened
    fail(ErrorCode::io, "{}: '{}' is not a regular file", where, path.string());
  size_ = fs::file_size(path, error);
  errno = 0;
  stream_.open(path, std::ios::binary);
  if (error || !stream_)
    fail(ErrorCode::io, "{}: cannot open '{}': {}", where, path.string(),
         error ? error.message() : std::strerror(errno));
  refuse_pointer();
}

/// What a clone without git-lfs has in place of a large file.
void InputFile::refuse_pointer() {
  constexpr std::string_view kPointer = "version https://git-lfs.github.com/";
  std::string start(std::min<std::uintmax_t>(size_, kPointer.size()), '\0');
  stream_.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (start == kPointer)
    fail(ErrorCode::bad_input,
         "{}: '{}' is a git-lfs pointer, not the file itself; fetch it by 'git lfs pull'", where_,
         path_.string());
  stream_.clear();
  stream_.seekg(0);
}

void InputFile::read(std::span<std::byte> dst) {
  stream_.read(reinterpret_cast<char*>(dst.data()), static_cast<std::streamsize>(dst.size()));
  if (stream_.bad()) fail(ErrorCode::io, "{}: cannot read '{}'", where_, path_.string());
  if (!stream_)
    fail(ErrorCode::bad_input, "{}: '{}' is truncated; fetch it again", where_, path_.string());
}

std::string read_text(std::string_view where, const fs::path& path, std::uintmax_t limit) {
  InputFile file(where, path);
  if (file.size() > limit)
    fail(ErrorCode::too_large, "{}: '{}' has {} bytes, more than the {} that make sense", where,
         path.string(), file.size(), limit);
  std::string text(file.size(), '\0');
  file.read(std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace unmar::data
