#include <fmt/format.h>

#include <utility>

#include "base/fail.h"
#include "unmar/base/random.h"
#include "unmar/engine/engine.h"
#include "unmar/gan/model.h"

namespace unmar {

Tensor latent_of(const GanOptions& options, std::uint64_t seed, int first, int count) {
  Tensor z({count, options.latent, 1, 1});
  const auto size = static_cast<std::size_t>(options.latent);
  for (int i = 0; i < count; ++i)
    Random(seed, fmt::format("latent.{}", first + i))
        .normal(z.values().subspan(static_cast<std::size_t>(i) * size, size));
  return z;
}

NodeId write_trained_generator(Graph& graph, NodeId z, const GanModel& model) {
  const std::size_t first = graph.params().size();
  const NodeId out = write_gan_generator(graph, z, model.gan, NormStatistics::fixed);
  const auto& tensors = model.generator.tensors;
  if (tensors.size() != graph.params().size() - first)
    fail(ErrorCode::bad_argument, "generator: {} tensors for the network's {}", tensors.size(),
         graph.params().size() - first);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Param& param = graph.params()[first + i];
    if (param.name != tensors[i].name || param.shape != tensors[i].values.shape())
      fail(ErrorCode::bad_argument, "generator: '{}' {} in place of the network's '{}' {}",
           tensors[i].name, to_string(tensors[i].values.shape()), param.name,
           to_string(param.shape));
    graph.set_init(
        static_cast<int>(first + i),
        {.kind = Init::Kind::given, .value = std::make_shared<const Tensor>(tensors[i].values)});
  }
  return out;
}

struct GanGenerator::Impl {
  Graph graph;
  NodeId z, out;
  std::unique_ptr<Program> program;
};

GanGenerator::GanGenerator(const GanModel& model, const GanGeneratorOptions& options)
    : impl_(std::make_unique<Impl>()) {
  Graph& graph = impl_->graph;
  impl_->z = graph.add(Input{{options.batch, model.gan.latent, 1, 1}}, {}, "z");
  impl_->out = write_trained_generator(graph, impl_->z, model);
  graph.keep(impl_->out);
  for (std::size_t i = 0; i < graph.params().size(); ++i) graph.freeze(static_cast<int>(i));
  impl_->program = make_engine(options.engine)->compile(graph, {.threads = options.threads});
}
GanGenerator::~GanGenerator() = default;
GanGenerator::GanGenerator(GanGenerator&&) noexcept = default;

Tensor GanGenerator::pictures(const Tensor& z) {
  if (z.shape() != impl_->graph.shape(impl_->z))
    fail(ErrorCode::bad_argument, "generator: made for z of {}, got {}",
         to_string(impl_->graph.shape(impl_->z)), to_string(z.shape()));
  impl_->program->set_input(impl_->z, z);
  impl_->program->forward(0, false);
  Tensor out;
  impl_->program->read(impl_->out, out);
  return out;
}

}  // namespace unmar
