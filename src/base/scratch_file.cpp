#include "base/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/fail.h"

namespace unmar {

ScratchFile::ScratchFile(const std::filesystem::path& folder) : folder_(folder) {
  if (folder.empty()) {
    file_ = ::memfd_create("unmar", MFD_CLOEXEC);
  } else {
    std::string name = (folder / ".unmar-XXXXXX").string();
    file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (file_ >= 0) ::unlink(name.c_str());
  }
  if (file_ < 0) fail_with("made", errno);
}

ScratchFile::~ScratchFile() { ::close(file_); }

void ScratchFile::write_at(std::uint64_t place, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t some = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) fail_with("written", errno);
    place += static_cast<std::uint64_t>(some);
    bytes = bytes.subspan(static_cast<std::size_t>(some));
  }
}

void ScratchFile::read_at(std::uint64_t place, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t some = ::pread(file_, bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) fail_with("read", errno);
    if (some == 0) {
      std::ranges::fill(bytes, std::byte{0});
      return;
    }
    place += static_cast<std::uint64_t>(some);
    bytes = bytes.subspan(static_cast<std::size_t>(some));
  }
}

std::string ScratchFile::path() const { return fmt::format("/proc/self/fd/{}", file_); }

void ScratchFile::fail_with(const char* what, int error) const {
  fail(ErrorCode::io, "a file beside the work cannot be {} in '{}' ({}); free some space there",
       what, folder_.empty() ? "memory" : folder_.string(), std::generic_category().message(error));
}

}  // namespace unmar
