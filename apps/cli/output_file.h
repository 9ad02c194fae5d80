#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace unmar::cli {

/// Throws what write_text would throw for the path alone. `option` opens the message: "--history".
void check_text_writable(const std::filesystem::path& path, const std::string& option);

/// The file appears complete or not at all. throws Error{io}.
void write_text(const std::filesystem::path& path, std::string_view text,
                const std::string& option);

/// throws Error{io} if it cannot be read.
std::string read_text(const std::filesystem::path& path, const std::string& option);

/// Makes the folder if need be. throws Error{io} if there is none in the end or it is read-only.
void prepare_folder(const std::filesystem::path& path, const std::string& option);

}  // namespace unmar::cli
