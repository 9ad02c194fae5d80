#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace unmar {

/// SHA-256 in hexadecimal, as sha256sum prints it.
std::string sha256(std::string_view bytes);
/// Of a file's bytes, read piece by piece. throws Error{io} if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace unmar
