#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/base/error.h"

/// A target reads what may be anything. Right is: it is read, or refused by unmar::Error. All else
/// (another exception, a signal, a sanitizer's report, memory without end) is a finding.
///
/// Each target is one file, made into two programs: with smoke.cpp's main(), which the tests run,
/// and with libFuzzer's (preset "fuzz").
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace unmar::fuzz {

/// What mutation starts from: one right input of each kind that the target reads.
std::vector<std::string> seeds();

/// A file with these bytes, in a folder of this process; the next call replaces it.
inline std::filesystem::path file_of(const std::uint8_t* bytes, std::size_t size,
                                     const char* name = "input") {
  static const std::filesystem::path folder = [] {
    const auto path =
        std::filesystem::temp_directory_path() / ("unmar-fuzz-" + std::to_string(getpid()));
    std::filesystem::create_directories(path);
    return path;
  }();
  std::ofstream(folder / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  return folder / name;
}

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// Calls each; that it refuses is right.
template <class... Read>
int try_each(Read... read) {
  const auto attempt = [](auto& f) {
    try {
      f();
    } catch (const Error&) {
    }
  };
  (attempt(read), ...);
  return 0;
}

}  // namespace unmar::fuzz
