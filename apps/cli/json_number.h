#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace unmar::cli {

/// JSON has no infinity (the PSNR of equal pictures): null, as for what is not known.
inline nlohmann::ordered_json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::ordered_json(*value)
                                        : nlohmann::ordered_json(nullptr);
}

}  // namespace unmar::cli
