#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "unmar/image/image.h"

/// Pictures as the JSON of a page has them.
namespace unmar::report {

inline constexpr int kFormat = 1;  ///< of the JSON

/// Null if there is none.
nlohmann::ordered_json data_uri(const std::string& webp);

/// |a - b|, gain times, gray.
Image difference(const Image& a, const Image& b, float gain);

}  // namespace unmar::report
