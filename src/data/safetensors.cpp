#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <utility>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "data/half.h"
#include "data/input_file.h"
#include "data/printable.h"
#include "data/safetensors_header.h"
#include "unmar/data/safetensors.h"

namespace unmar {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold the lower byte first");

using namespace unmar::data;
namespace fs = std::filesystem;

constexpr std::uint64_t kLargestHeader = 16 << 20;
constexpr std::size_t kAlignment = 8;  // of the data within the file

Shape to_shape(const std::vector<std::int64_t>& sides) {
  std::array<int, 4> s{1, 1, 1, 1};
  // A single side counts channels.
  for (std::size_t i = 0; i < sides.size(); ++i)
    s[sides.size() == 1 ? 1 : i] = static_cast<int>(sides[i]);
  return {s[0], s[1], s[2], s[3]};
}

std::uint64_t read_header_length(InputFile& file, const std::string& where) {
  std::uint64_t length = 0;
  if (file.size() < sizeof length)
    fail(ErrorCode::bad_input, "{}: has {} bytes, too few for a safetensors file", where,
         file.size());
  std::array<std::byte, sizeof length> bytes;
  file.read(bytes);
  if (std::memcmp(bytes.data(), "PK\3\4", 4) == 0 || bytes[0] == std::byte{0x80})
    fail(ErrorCode::unsupported,
         "{}: is a PyTorch pickle, which may run code; convert it to safetensors", where);
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > file.size() - sizeof length)
    fail(ErrorCode::bad_input,
         "{}: says its header has {} bytes, but only {} follow; is it a safetensors file?", where,
         length, file.size() - sizeof length);
  if (length > kLargestHeader)
    fail(ErrorCode::bad_input, "{}: its header of {} bytes is above the limit of {}", where, length,
         kLargestHeader);
  return length;
}

Tensor read_values(InputFile& file, const StoredTensor& stored) {
  Tensor values(to_shape(stored.shape));
  if (stored.type == StoredType::f32) {
    file.read(std::as_writable_bytes(values.values()));
    return values;
  }
  std::vector<std::uint16_t> halves(values.count());
  file.read(std::as_writable_bytes(std::span(halves)));
  for (std::size_t i = 0; i < halves.size(); ++i)
    values.data()[i] =
        stored.type == StoredType::f16 ? from_float16(halves[i]) : from_bfloat16(halves[i]);
  return values;
}

/// The length and the header itself, filled up with spaces.
std::string make_header(const Weights& weights, WeightType type, const std::string& where) {
  const bool half = type == WeightType::f16;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!weights.metadata.empty()) json["__metadata__"] = weights.metadata;
  std::set<std::string> names{"__metadata__"};
  std::uint64_t end = 0;
  for (const NamedTensor& tensor : weights.tensors) {
    if (!names.insert(tensor.name).second)
      fail(ErrorCode::bad_argument, "{}: the name '{}' is {}", where, tensor.name,
           tensor.name == "__metadata__" ? "reserved" : "there twice");
    if (tensor.shape.size() > 4 || to_shape(tensor.shape) != tensor.values.shape())
      fail(ErrorCode::bad_argument, "{}: '{}' is [{}] but its values are {}", where, tensor.name,
           fmt::join(tensor.shape, ","), to_string(tensor.values.shape()));
    const std::uint64_t begin = end;
    end += tensor.values.count() * (half ? sizeof(std::uint16_t) : sizeof(float));
    json[tensor.name] = {
        {"dtype", half ? "F16" : "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorCode::bad_argument, "{}: a name or the metadata are not UTF-8", where);
  }
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  std::string length(sizeof(std::uint64_t), '\0');
  const std::uint64_t count = text.size();
  std::memcpy(length.data(), &count, sizeof count);
  return length + text;
}

std::vector<std::uint16_t> halves_of(const NamedTensor& tensor, const std::string& where) {
  std::vector<std::uint16_t> halves;
  halves.reserve(tensor.values.count());
  for (const float value : tensor.values.values()) {
    halves.push_back(to_float16(value));
    if (std::isfinite(value) && !std::isfinite(from_float16(halves.back())))
      fail(ErrorCode::numeric, "{}: '{}' holds {}, more than F16 can; store it as F32", where,
           tensor.name, value);
  }
  return halves;
}

}  // namespace

const NamedTensor* Weights::find(std::string_view name) const {
  for (const NamedTensor& tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

std::size_t Weights::count() const {
  std::size_t sum = 0;
  for (const NamedTensor& tensor : tensors) sum += tensor.values.count();
  return sum;
}

Weights read_safetensors(const fs::path& path) {
  const std::string where = fmt::format("read_safetensors: '{}'", path.string());
  InputFile file("read_safetensors", path);
  std::string text(read_header_length(file, where), '\0');
  file.read(std::as_writable_bytes(std::span(text)));
  const std::uint64_t data_bytes = file.size() - sizeof(std::uint64_t) - text.size();
  SafetensorsHeader header = parse_safetensors_header(text, data_bytes, where);
  Weights weights;
  weights.metadata = std::move(header.metadata);
  for (StoredTensor& stored : header.tensors) {
    Tensor values = read_values(file, stored);
    for (const float value : values.values()) weights.not_finite += std::isfinite(value) ? 0 : 1;
    weights.tensors.push_back({std::move(stored.name), std::move(stored.shape), std::move(values)});
  }
  return weights;
}

void write_safetensors(const fs::path& path, const Weights& weights, WeightType type) {
  constexpr const char* kWhere = "write_safetensors";
  const std::string header = make_header(weights, type, kWhere);
  std::vector<std::span<const std::byte>> parts{std::as_bytes(std::span(header))};
  std::vector<std::vector<std::uint16_t>> halves;  // parts look into it
  for (const NamedTensor& tensor : weights.tensors)
    if (type == WeightType::f16) {
      halves.push_back(halves_of(tensor, kWhere));
      parts.push_back(std::as_bytes(std::span(std::as_const(halves.back()))));
    } else {
      parts.push_back(std::as_bytes(tensor.values.values()));
    }
  TemporaryFile file(kWhere, path);
  file.write_parts(parts);
  file.commit();
}

Weights arranged(Weights weights, std::vector<TensorSpec> specs, const std::string& where) {
  std::map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : weights.tensors) by_name.emplace(tensor.name, &tensor);
  Weights fitted{{}, std::move(weights.metadata), weights.not_finite};
  for (const TensorSpec& spec : specs) {
    const auto found = by_name.find(spec.name);
    if (found == by_name.end())
      fail(ErrorCode::bad_input, "{}: tensor '{}' is missing; does the configuration belong to it?",
           where, spec.name);
    NamedTensor& tensor = *found->second;
    if (tensor.shape != spec.shape)
      fail(ErrorCode::bad_input, "{}: tensor '{}' is [{}], but the configuration makes it [{}]",
           where, spec.name, fmt::join(tensor.shape, ","), fmt::join(spec.shape, ","));
    fitted.tensors.push_back(std::move(tensor));
    by_name.erase(found);
  }
  if (!by_name.empty())
    fail(ErrorCode::bad_input,
         "{}: the network has no tensor '{}' ({} such); does the configuration belong to it?",
         where, printable(by_name.begin()->first), by_name.size());
  return fitted;
}

Weights named_weights(std::vector<TensorSpec> specs, std::vector<Tensor> params,
                      std::string_view where) {
  if (specs.size() != params.size())
    fail(ErrorCode::bad_argument, "{}: {} tensors for the network's {}", where, params.size(),
         specs.size());
  Weights weights;
  for (std::size_t i = 0; i < specs.size(); ++i)
    weights.tensors.push_back(
        {std::move(specs[i].name), std::move(specs[i].shape), std::move(params[i])});
  return weights;
}

}  // namespace unmar
