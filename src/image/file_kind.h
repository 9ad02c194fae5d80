#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "unmar/image/image.h"

namespace unmar::image {

enum class FileKind { png, tiff, jpeg, webp, fits, gif, bmp, heif, jxl };

inline constexpr std::string_view kGzip{"\x1f\x8b"};  ///< a packed file begins so

/// "png", "tiff", ...
std::string_view name_of(FileKind kind);

/// By the first bytes. throws Error{io} if the file cannot be opened, Error{bad_input} if it is
/// none of ours; the text starts with `where`.
FileKind kind_of_contents(std::string_view where, const std::filesystem::path& path);

/// By the extension, in either case. throws Error{bad_argument}.
FileKind kind_of_extension(std::string_view where, const std::filesystem::path& path);

/// What a file type can hold.
struct Abilities {
  bool u16, f32, alpha, profile;
  int max_side;  ///< pixels
};
Abilities abilities(FileKind kind);

}  // namespace unmar::image
