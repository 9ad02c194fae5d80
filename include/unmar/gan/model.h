#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "unmar/data/safetensors.h"
#include "unmar/models/gan.h"
#include "unmar/tensor/tensor.h"

/// Generators of GANs in files, and pictures of them.
namespace unmar {

/// A generator with the running statistics of its norms, its tensors in the order of
/// gan_tensors().
struct GanModel {
  GanOptions gan;
  Weights generator;
};
/// Every parameter of the generator as write_gan_generator() makes them with running statistics.
std::vector<TensorSpec> gan_tensors(const GanOptions& options);
/// Parameters in the order of gan_tensors() under their names.
Weights gan_weights(const GanOptions& options, std::vector<Tensor> params);

struct GanFiles {
  std::filesystem::path config, weights;
};
/// config.json and generator.safetensors of a folder; they need not be there.
GanFiles gan_files(const std::filesystem::path& folder);
/// throws Error{io} naming a file that is missing, Error{bad_input} if it is no GAN or damaged.
GanModel read_gan(const std::filesystem::path& folder);
/// Makes the folder if need be. Each file appears complete or not at all, the weights last.
void write_gan(const std::filesystem::path& folder, const GanModel& model,
               WeightType type = WeightType::f32);

/// write_gan_generator() with what the model learned in it, running statistics included.
/// throws Error{bad_argument} if the weights are of another network.
NodeId write_trained_generator(Graph& graph, NodeId z, const GanModel& model);

/// Latent numbers of pictures first .. first + count - 1: [count,latent,1,1], N(0, 1). Those of a
/// picture depend on the seed and its number alone.
Tensor latent_of(const GanOptions& options, std::uint64_t seed, int first, int count);

struct GanGeneratorOptions {
  int batch = 16;
  std::string engine = "auto";
  int threads = 0;  ///< 0: as many as the machine has
};
/// A generator, compiled for batches of one size. Not thread-safe.
class GanGenerator {
 public:
  /// throws Error{bad_argument} if the weights are of another network, Error{too_large} if memory
  /// does not suffice.
  GanGenerator(const GanModel& model, const GanGeneratorOptions& options);
  ~GanGenerator();
  GanGenerator(GanGenerator&&) noexcept;

  /// z [batch,latent,1,1] -> [batch,channels,size,size] in [-1,1].
  /// throws Error{bad_argument} for another shape.
  Tensor pictures(const Tensor& z);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmar
