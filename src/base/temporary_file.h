#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace unmar {

/// A hidden file beside `target` that becomes `target` by commit(), or disappears.
/// Every function throws Error{io}, its text starting with `where`.
class TemporaryFile {
 public:
  TemporaryFile(std::string_view where, const std::filesystem::path& target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const std::byte> bytes) { write_parts({&bytes, 1}); }
  /// One behind the other.
  void write_parts(std::span<const std::span<const std::byte>> parts);

  /// Behind what append() wrote before; not to be mixed with write().
  void append(std::span<const std::byte> bytes);
  /// Into what append() or a library wrote.
  void write_at(std::uint64_t place, std::span<const std::byte> bytes);

  /// A path for a library that wants to write the file itself. It holds nothing of the user's
  /// folder names, which some libraries take apart. Works while this object lives.
  std::string path_for_library() const;
  std::uintmax_t size() const;

  /// Gives it the name and, if that file exists, the permissions of the target.
  void commit();

 private:
  [[noreturn]] void fail_with(int error) const;
  int open_to_write(int flags) const;
  void sync(const char* name, int flags) const;

  std::string where_;
  std::filesystem::path target_;  ///< symbolic links resolved
  std::string name_;              ///< within the folder
  int folder_ = -1;
  int appended_ = -1;  ///< the file while append() is used
};

}  // namespace unmar
