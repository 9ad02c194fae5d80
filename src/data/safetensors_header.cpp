#include "data/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/fail.h"
#include "data/printable.h"

namespace unmar::data {
namespace {

using Value = nlohmann::json;

constexpr int kDeepest = 3;  // {name: {shape: [ ]}}
constexpr std::size_t kMostSides = 4;
constexpr const char* kMetadata = "__metadata__";

/// nlohmann::json keeps one of two equal keys in silence; a reader that keeps the other one would
/// see another file.
Value parse(std::string_view text, const std::string& where) {
  std::set<std::string> outer, inner;
  const auto watch = [&](int depth, Value::parse_event_t event, Value& value) {
    using Event = Value::parse_event_t;
    if (depth >= kDeepest && (event == Event::object_start || event == Event::array_start))
      fail(ErrorCode::bad_input, "{}: the header is nested too deeply", where);
    if (event == Event::object_start && depth == 1) inner.clear();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!(depth == 1 ? outer : inner).insert(key).second)
        fail(ErrorCode::bad_input, "{}: '{}' is in the header twice", where, printable(key));
    }
    return true;
  };
  Value json = Value::parse(text, watch, false);
  if (!json.is_object())
    fail(ErrorCode::bad_input, "{}: the header is not a JSON object; is it a safetensors file?",
         where);
  return json;
}

const Value& at(const Value& entry, const char* key, const std::string& name,
                const std::string& where) {
  if (!entry.is_object() || !entry.contains(key))
    fail(ErrorCode::bad_input, "{}: tensor '{}' has no {}", where, printable(name), key);
  return entry[key];
}

StoredType read_type(const Value& json, const std::string& name, const std::string& where) {
  if (json == "F32") return StoredType::f32;
  if (json == "F16") return StoredType::f16;
  if (json == "BF16") return StoredType::bf16;
  fail(ErrorCode::unsupported, "{}: tensor '{}' is of type {}; convert it to F32, F16 or BF16",
       where, printable(name),
       printable(json.dump(-1, ' ', true, Value::error_handler_t::replace)));
}

std::vector<std::uint64_t> read_numbers(const Value& json, const char* what,
                                        const std::string& name, const std::string& where) {
  const auto is_count = [](const Value& j) { return j.is_number_unsigned(); };
  if (!json.is_array() || !std::all_of(json.begin(), json.end(), is_count))
    fail(ErrorCode::bad_input, "{}: tensor '{}': {} is not a list of whole numbers", where,
         printable(name), what);
  return json.get<std::vector<std::uint64_t>>();
}

StoredTensor read_tensor(const std::string& name, const Value& entry, const std::string& where) {
  StoredTensor tensor{name, read_type(at(entry, "dtype", name, where), name, where), {}, 0, 0};
  const auto shape = read_numbers(at(entry, "shape", name, where), "shape", name, where);
  if (shape.size() > kMostSides)
    fail(ErrorCode::unsupported, "{}: tensor '{}' has {} sides, more than {}", where,
         printable(name), shape.size(), kMostSides);
  std::uint64_t bytes = bytes_of(tensor.type);
  for (const std::uint64_t side : shape) {
    if (side > std::numeric_limits<int>::max() ||
        (side > 0 && bytes > std::numeric_limits<std::uint64_t>::max() / side))
      fail(ErrorCode::bad_input, "{}: tensor '{}' has the impossible shape [{}]", where,
           printable(name), fmt::join(shape, ","));
    bytes *= side;
    tensor.shape.push_back(static_cast<std::int64_t>(side));
  }
  const auto range =
      read_numbers(at(entry, "data_offsets", name, where), "data_offsets", name, where);
  if (range.size() != 2 || range[0] > range[1])
    fail(ErrorCode::bad_input, "{}: tensor '{}': data_offsets is not a begin and an end", where,
         printable(name));
  if (range[1] - range[0] != bytes)
    fail(ErrorCode::bad_input, "{}: tensor '{}' of shape [{}] needs {} bytes, has {}", where,
         printable(name), fmt::join(shape, ","), bytes, range[1] - range[0]);
  tensor.begin = range[0];
  tensor.end = range[1];
  return tensor;
}

void check_layout(const std::vector<StoredTensor>& tensors, std::uint64_t data_bytes,
                  const std::string& where) {
  std::uint64_t end = 0;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.end > data_bytes)
      fail(ErrorCode::bad_input, "{}: tensor '{}' reaches to byte {} of {}; is it truncated?",
           where, printable(tensor.name), tensor.end, data_bytes);
    if (tensor.begin != end)
      fail(ErrorCode::bad_input, "{}: tensor '{}' begins at byte {}, the one before ends at {}",
           where, printable(tensor.name), tensor.begin, end);
    end = tensor.end;
  }
  if (end != data_bytes)
    fail(ErrorCode::bad_input, "{}: the last {} bytes belong to no tensor", where,
         data_bytes - end);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes,
                                           const std::string& where) {
  SafetensorsHeader header;
  const Value json = parse(text, where);
  for (const auto& [name, entry] : json.items()) {
    if (name != kMetadata) {
      header.tensors.push_back(read_tensor(name, entry, where));
      continue;
    }
    if (!entry.is_object()) fail(ErrorCode::bad_input, "{}: {} is not an object", where, name);
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        fail(ErrorCode::bad_input, "{}: {} '{}' is not a string", where, name, printable(key));
      header.metadata[key] = value.get<std::string>();
    }
  }
  std::ranges::stable_sort(header.tensors, {},
                           [](const StoredTensor& t) { return std::pair(t.begin, t.end); });
  check_layout(header.tensors, data_bytes, where);
  return header;
}

}  // namespace unmar::data
