#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "base/fail.h"
#include "unmar/base/files.h"
#include "unmar/gan/model.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

void require_file(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  if (fs::exists(file, error)) return;
  fail(ErrorCode::io, "'{}': {} is missing; give a folder that 'unmar gan train' made",
       folder.string(), file.filename().string());
}

}  // namespace

std::vector<TensorSpec> gan_tensors(const GanOptions& options) {
  Graph graph;
  const NodeId z = graph.add(Input{{1, options.latent, 1, 1}}, {}, "z");
  write_gan_generator(graph, z, options, NormStatistics::fixed);
  std::vector<TensorSpec> specs;
  for (const Param& param : graph.params()) {
    const Shape& s = param.shape;
    if (param.name.ends_with(".weight"))
      specs.push_back({param.name, {s.n, s.c, s.h, s.w}});
    else
      specs.push_back({param.name, {s.c}});
  }
  return specs;
}

Weights gan_weights(const GanOptions& options, std::vector<Tensor> params) {
  return named_weights(gan_tensors(options), std::move(params), "gan_weights");
}

GanFiles gan_files(const fs::path& folder) {
  return {folder / "config.json", folder / "generator.safetensors"};
}

GanModel read_gan(const fs::path& folder) {
  const GanFiles files = gan_files(folder);
  require_file(files.config, folder);
  GanModel model;
  model.gan = gan_from_json(read_text(files.config, folder.string()), files.config.string());
  require_file(files.weights, folder);
  model.generator =
      arranged(read_safetensors(files.weights), gan_tensors(model.gan), files.weights.string());
  if (model.generator.not_finite > 0)
    fail(ErrorCode::bad_input, "{}: {} of its numbers are not finite; train it anew",
         files.weights.string(), model.generator.not_finite);
  return model;
}

void write_gan(const fs::path& folder, const GanModel& model, WeightType type) {
  const GanFiles files = gan_files(folder);
  prepare_folder(folder, folder.string());
  write_text(files.config, gan_to_json(model.gan), files.config.string());
  write_safetensors(files.weights, model.generator, type);
}

}  // namespace unmar
