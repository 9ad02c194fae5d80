#pragma once

#include <filesystem>
#include <string>

namespace unmar::runs {

/// As one word of a shell's command line; plain words as they are.
std::string quoted(const std::string& word);
/// A file's name, which is never taken for an option.
std::string quoted(const std::filesystem::path& path);

}  // namespace unmar::runs
