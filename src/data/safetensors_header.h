#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace unmar::data {

enum class StoredType { f32, f16, bf16 };
constexpr std::size_t bytes_of(StoredType type) { return type == StoredType::f32 ? 4 : 2; }

struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes behind the header
};
struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  ///< by `begin`; they fill the data without a gap
  std::map<std::string, std::string> metadata;
};

/// data_bytes: of the file, behind the header. `where` opens error texts.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                           const std::string& where);

}  // namespace unmar::data
