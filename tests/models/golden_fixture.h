#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "unmar/models/models.h"
#include "unmar/tensor/tensor.h"

namespace unmar::test {

/// A short fit that PyTorch has done; tests/fixtures/README.md says what the tensors are.
struct GoldenFixture {
  int out_channels = 0;
  NetworkOptions network;
  int reduce_factor = 1;
  float jitter_sigma = 0.f;
  float learning_rate = 0.f;
  std::vector<float> losses;
  std::map<std::string, Tensor> tensors;

  const Tensor& tensor(const std::string& name) const;  ///< throws std::out_of_range with the name
  bool has(const std::string& name) const { return tensors.count(name) > 0; }

  /// z with the jitter of this iteration, bit for bit as PyTorch got it.
  Tensor jittered_z(std::int64_t iteration) const;
};

/// throws std::runtime_error naming the file if it cannot be used.
GoldenFixture load_golden(const std::string& name);

/// All fixtures there are, by name, sorted.
std::vector<std::string> golden_names();

}  // namespace unmar::test
