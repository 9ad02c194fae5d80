#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// Text files, whole. `where` opens the messages: "--history". All functions throw Error{io}.
namespace unmar {

std::string read_text(const std::filesystem::path& path, std::string_view where);

/// The file appears complete or not at all, with the permissions of the one that it replaces. A
/// link stays, what it points to is replaced; a device such as /dev/null is written to.
void write_text(const std::filesystem::path& path, std::string_view text, std::string_view where);

/// Throws what write_text() would throw for the path alone.
void check_text_writable(const std::filesystem::path& path, std::string_view where);

/// Makes the folder if need be; it can be written to then.
void prepare_folder(const std::filesystem::path& path, std::string_view where);

}  // namespace unmar
