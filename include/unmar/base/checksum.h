#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace unmar {

/// SHA-256 of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(const char* bytes, std::size_t size);
  std::string hex();  ///< of all bytes; nothing can be added after it

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// SHA-256 in hexadecimal, as sha256sum prints it.
std::string sha256(std::string_view bytes);
/// Of a file's bytes, read piece by piece. throws Error{io} if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace unmar
