#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace unmar::cli {

/// The bytes of a checkpoint file: magic, format, byte order, length, payload, SHA-256.
std::string sealed(std::string_view payload);

/// The payload. throws Error{bad_input}, naming `path`, unless it is whole and unchanged, and
/// Error{unsupported} if another version or kind of machine wrote it.
std::string unsealed(std::string_view bytes, const std::filesystem::path& path);

}  // namespace unmar::cli
