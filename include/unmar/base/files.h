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

/// What stands behind a link, and behind the links that it points to, be it there or not.
std::filesystem::path without_links(const std::filesystem::path& path);

/// Removes the files of this process that are half-written. For a signal handler that ends the
/// process: it only makes calls that are safe there.
void remove_unfinished_files() noexcept;

/// Makes the folder if need be; it can be written to then.
void prepare_folder(const std::filesystem::path& path, std::string_view where);

}  // namespace unmar
