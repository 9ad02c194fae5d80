#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/tensor/tensor.h"

/// Weights of networks in safetensors files.
namespace unmar {

struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< as in the file, at most four sides
  /// [a,b,c,d] is as it is; [a,b] becomes [a,b,1,1], [a,b,c] [a,b,c,1] and [a] [1,a,1,1], as
  /// Graph::params() has weights of 1x1 convolutions and biases.
  Tensor values;
};
struct Weights {
  std::vector<NamedTensor> tensors;  ///< in the order of the file's bytes
  std::map<std::string, std::string> metadata;
  std::size_t not_finite = 0;  ///< NaN and infinite numbers read; not an error by itself

  const NamedTensor* find(std::string_view name) const;  ///< null: none
  std::size_t count() const;                             ///< numbers in all tensors
};

/// Reads a safetensors file of F32, F16 and BF16 tensors. Memory: 4 bytes a number.
/// throws Error{io} if the file cannot be read, Error{bad_input} if it is not what it says: a
/// header beyond the file or above 16 MiB, broken JSON, names or keys twice, tensors that overlap,
/// leave holes or reach beyond the file, a size that is not that of the shape; Error{unsupported}
/// for other types and more than four sides.
Weights read_safetensors(const std::filesystem::path& path);
/// How numbers are stored: 4 bytes each, or 2 with 11 significant bits.
enum class WeightType { f32, f16 };
/// The file appears complete or not at all.
/// throws Error{bad_argument} for a name twice, a reserved or not UTF-8 one, or a shape that is not
/// that of the values; Error{numeric} for what F16 cannot hold, above 65504; Error{io} if it cannot
/// be written.
void write_safetensors(const std::filesystem::path& path, const Weights& weights,
                       WeightType type = WeightType::f32);

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool operator==(const TensorSpec&) const = default;
};
/// The tensors under the names and shapes of `specs`, in their order.
/// throws Error{bad_argument}, opened by `where`, for another number of them.
Weights named_weights(std::vector<TensorSpec> specs, std::vector<Tensor> params,
                      std::string_view where);
/// The tensors in the order of `specs`: their values then are parameters of a graph.
/// throws Error{bad_input} naming one that is missing, of no use or of another shape.
Weights arranged(Weights weights, std::vector<TensorSpec> specs, const std::string& where);

}  // namespace unmar
