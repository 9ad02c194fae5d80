#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace unmar {

/// Bytes that this process may still take without swapping: the system's MemAvailable, or less if
/// a control group (a container, a batch job; versions 1 and 2) or `ulimit -v` limits it. Empty
/// where the system does not tell. `root` is for tests: where /proc and /sys are looked for.
std::optional<std::size_t> available_memory(const std::filesystem::path& root = "/");

/// Processors that this process may use: those it is bound to (`taskset`, a batch job), or fewer if
/// a control group allows it less time than that, rounded up; at least 1.
int core_count(const std::filesystem::path& root);

std::string bytes_in_words(std::size_t bytes);  ///< "61.2 GiB", "12 MiB"

}  // namespace unmar
