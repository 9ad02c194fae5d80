#pragma once

#include <optional>
#include <string>
#include <vector>

#include "unmar/models/ddpm_unet.h"
#include "unmar/models/gan.h"
#include "unmar/models/models.h"
#include "unmar/tensor/tensor.h"

namespace unmar::test {

/// What is known of a tensor that PyTorch has computed.
struct Expected {
  double largest = 0;  ///< magnitude
  double norm = 0;     ///< L2
  double sum = 0;
  double probe = 0;  ///< sum with pseudo-random signs: sees any element that is off
  std::size_t stride = 1;
  std::vector<float> samples;  ///< number k is element k * stride mod count
};

/// A tensor that a pass is given, and what the gradient of the loss is there.
struct Given {
  std::string name;
  Tensor value;
  std::optional<Expected> gradient;  ///< none: 0 but for rounding
};

/// One forward and backward pass that PyTorch has done, of an op or of a network;
/// tests/fixtures/README.md says how. The loss is the mean squared difference to the target.
struct PassFixture {
  std::optional<Op> op;  ///< its node is called "op"
  std::optional<NetworkOptions> network;
  Shape picture;                             ///< of the network
  std::optional<DdpmUnetOptions> ddpm_unet;  ///< its inputs are the sample and the times
  std::optional<GanOptions> gan;
  int discriminator_parts = 0;  ///< of gan; 0: it is the generator
  std::vector<Given> inputs, params;
  Tensor target;
  Expected output;
  double loss = 0;
};

std::vector<std::string> pass_names();
/// throws std::runtime_error naming the case if it cannot be used.
PassFixture load_pass(const std::string& name);

/// Empty, or how `actual` differs from `expected` by more than `tolerance` times the largest
/// magnitude, of sums the norm.
std::string difference(const Tensor& actual, const Expected& expected, double tolerance);

}  // namespace unmar::test
