#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace unmar {

/// A file without a name, which is gone with this object or the process. read_at() may be called
/// by several threads at once. All functions throw Error{io}.
class ScratchFile {
 public:
  /// folder: whose disk it is on; empty: in memory.
  explicit ScratchFile(const std::filesystem::path& folder);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  void write_at(std::uint64_t place, std::span<const std::byte> bytes);
  /// What was never written is 0.
  void read_at(std::uint64_t place, std::span<std::byte> bytes) const;

  /// For a library that wants to open the file itself, while this lives.
  std::string path() const;

 private:
  [[noreturn]] void fail_with(const char* what, int error) const;

  std::filesystem::path folder_;
  int file_ = -1;
};

}  // namespace unmar
