#include "base/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/fail.h"
#include "unmar/base/files.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 100;

/// The name a new file gets. Its extension is that of the target, as libraries go by it.
std::string unique_name(const fs::path& target) {
  static std::atomic<unsigned> count{0};
  return fmt::format(".unmar-{}-{}{}", ::getpid(), count++, target.extension().string());
}

/// A file that is not finished, where a signal handler can find it.
struct Unfinished {
  static constexpr int kFree = -1, kBeingFilled = -2;
  std::atomic<int> folder = kFree;
  char name[NAME_MAX + 1] = {};
};
static_assert(std::atomic<int>::is_always_lock_free);
// More at once are never written; those beyond would only not be removed by a signal.
std::array<Unfinished, 64> unfinished;

void note_unfinished(int folder, const std::string& name) {
  if (name.size() > NAME_MAX) return;
  for (Unfinished& slot : unfinished) {
    int free = Unfinished::kFree;
    if (!slot.folder.compare_exchange_strong(free, Unfinished::kBeingFilled)) continue;
    std::memcpy(slot.name, name.c_str(), name.size() + 1);
    slot.folder = folder;
    return;
  }
}

void forget_unfinished(int folder, const std::string& name) {
  for (Unfinished& slot : unfinished)
    if (slot.folder == folder && name == slot.name) slot.folder = Unfinished::kFree;
}

/// Returns 0 or errno.
int write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

TemporaryFile::TemporaryFile(std::string_view where, const fs::path& target)
    : where_(where), target_(target) {
  target_ = without_links(target_);  // replace what a link points to, not the link
  std::error_code ignored;
  const fs::file_status status = fs::status(target_, ignored);
  if (fs::is_directory(status)) {
    fail(ErrorCode::io, "{}: '{}' is a folder; name a file in it", where_, target.string());
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(ErrorCode::io, "{}: '{}' exists and is not a regular file", where_, target.string());
  }
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  // O_PATH: a folder may be writable but not readable.
  folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) {
    if (errno == ENOENT) {
      fail(ErrorCode::io, "{}: the folder of '{}' does not exist; create it first", where_,
           target.string());
    }
    fail_with(errno);
  }
  int file = -1;
  for (int attempt = 0; file < 0 && attempt < kAttempts; ++attempt) {
    name_ = unique_name(target_);
    file = ::openat(folder_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST) break;
  }
  if (file < 0) {
    const int error = errno;
    ::close(folder_);
    fail_with(error);
  }
  ::close(file);
  note_unfinished(folder_, name_);
}

TemporaryFile::~TemporaryFile() {
  if (appended_ >= 0) ::close(appended_);
  if (!name_.empty()) {
    ::unlinkat(folder_, name_.c_str(), 0);
    forget_unfinished(folder_, name_);
  }
  ::close(folder_);
}

void remove_unfinished_files() noexcept {
  for (const Unfinished& slot : unfinished)
    if (const int folder = slot.folder; folder >= 0) ::unlinkat(folder, slot.name, 0);
}

int TemporaryFile::open_to_write(int flags) const {
  const int file = ::openat(folder_, name_.c_str(), O_WRONLY | O_CLOEXEC | flags);
  if (file < 0) fail_with(errno);
  return file;
}

void TemporaryFile::write_parts(std::span<const std::span<const std::byte>> parts) {
  const int file = open_to_write(O_TRUNC);
  int error = 0;
  for (std::size_t i = 0; i < parts.size() && error == 0; ++i) error = write_all(file, parts[i]);
  // Network disks report a full disk when the file is closed.
  if (::close(file) != 0 && error == 0) error = errno;
  if (error != 0) fail_with(error);
}

void TemporaryFile::append(std::span<const std::byte> bytes) {
  if (appended_ < 0) appended_ = open_to_write(0);
  if (const int error = write_all(appended_, bytes)) fail_with(error);
}

void TemporaryFile::write_at(std::uint64_t place, std::span<const std::byte> bytes) {
  const int file = open_to_write(0);
  (void)::lseek(file, static_cast<off_t>(place), SEEK_SET);
  const int error = write_all(file, bytes);
  ::close(file);
  if (error != 0) fail_with(error);
}

std::string TemporaryFile::path_for_library() const {
  return fmt::format("/proc/self/fd/{}/{}", folder_, name_);
}

std::uintmax_t TemporaryFile::size() const {
  struct stat facts {};
  if (::fstatat(folder_, name_.c_str(), &facts, 0) != 0) fail_with(errno);
  return static_cast<std::uintmax_t>(facts.st_size);
}

void TemporaryFile::commit() {
  if (appended_ >= 0 && ::close(std::exchange(appended_, -1)) != 0) fail_with(errno);
  const std::string final_name = target_.filename().string();
  struct stat old {};
  if (::fstatat(folder_, final_name.c_str(), &old, 0) == 0) {
    // Not fatal: some file systems have no permissions.
    (void)::fchmodat(folder_, name_.c_str(), old.st_mode & 07777, 0);
  }
  // Else a power cut could leave the new name with none of the bytes.
  sync(name_.c_str(), O_RDONLY);
  if (::renameat(folder_, name_.c_str(), folder_, final_name.c_str()) != 0) fail_with(errno);
  forget_unfinished(folder_, name_);
  name_.clear();
  sync(".", O_RDONLY | O_DIRECTORY);
}

void TemporaryFile::sync(const char* name, int flags) const {
  const int file = ::openat(folder_, name, flags | O_CLOEXEC);
  if (file < 0) return;
  (void)::fsync(file);  // not every file system can; then nothing is worse than before
  ::close(file);
}

void TemporaryFile::fail_with(int error) const {
  fail(ErrorCode::io, "{}: cannot write '{}': {}", where_, target_.string(), std::strerror(error));
}

}  // namespace unmar
