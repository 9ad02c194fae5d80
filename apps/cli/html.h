#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace unmar::cli {

/// Text for an element or a quoted attribute. Bytes that are no UTF-8, and control characters that
/// HTML does not allow, become U+FFFD.
std::string html_escaped(std::string_view text);

/// "data:image/webp;base64,..."
std::string data_uri(std::string_view bytes, std::string_view type = "image/webp");

/// A word of a POSIX shell: quoted if need be.
std::string shell_quoted(const std::string& word);

/// `text` with every {{name}} replaced; values are put in as they are. throws std::logic_error if a
/// name has no value.
std::string filled(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace unmar::cli
