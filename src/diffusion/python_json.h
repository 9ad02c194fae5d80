#pragma once

#include <string>
#include <string_view>

namespace unmar::diffusion {

/// Python's json writes NaN, Infinity and -Infinity, which JSON does not have; here they become
/// the strings of that name. All else stays as it is.
std::string plain_json(std::string_view python);

}  // namespace unmar::diffusion
