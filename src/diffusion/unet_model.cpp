#include "unmar/diffusion/unet_model.h"

#include <utility>
#include <vector>

#include "base/fail.h"
#include "unmar/engine/engine.h"

namespace unmar {
struct UnetModel::Impl {
  /// The network over one sample.
  struct Compiled {
    NodeId sample, time, output;
    std::unique_ptr<Program> program;

    bool forward(const Tensor& x, int t, const std::stop_token& cancel = {}) {
      program->set_input(sample, x);
      program->set_input(time, Tensor({x.shape().n, 1, 1, 1}, static_cast<float>(t)));
      return program->forward(0, false, cancel);
    }
  };

  /// Without its program.
  static Compiled write(Graph& graph, const DdpmUnetOptions& unet, const UnetModelOptions& options,
                        bool with_gradient) {
    Compiled c;
    c.sample = graph.add(Input{options.sample, with_gradient}, {}, "sample");
    c.time = graph.add(Input{{options.sample.n, 1, 1, 1}}, {}, "time");
    c.output = write_ddpm_unet(graph, c.sample, c.time, unet);
    graph.keep(c.output);
    return c;
  }

  DdpmUnetOptions unet;
  UnetModelOptions options;
  std::shared_ptr<const Weights> weights;  ///< shared by the two graphs
  Compiled forward = {}, backward = {};

  Compiled compile(bool with_gradient) const {
    Graph graph;
    Compiled c = write(graph, unet, options, with_gradient);
    set_weights(graph);
    CompileOptions compile{.threads = options.threads, .precision = options.precision};
    if (with_gradient) compile.backward_from = {c.output};
    c.program = make_engine(options.engine)->compile(graph, compile);
    return c;
  }

  /// Given and frozen, so that no program keeps gradients and moments of them.
  void set_weights(Graph& graph) const {
    const auto& tensors = weights->tensors;
    if (graph.params().size() != tensors.size())
      fail(ErrorCode::bad_argument, "unet_model: {} tensors for the network's {}", tensors.size(),
           graph.params().size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Param& param = graph.params()[i];
      const auto& [name, sides, values] = tensors[i];
      if (param.name != name || param.shape != values.shape())
        fail(ErrorCode::bad_argument, "unet_model: '{}' {} in place of the network's '{}' {}", name,
             to_string(values.shape()), param.name, to_string(param.shape));
      graph.set_init(
          static_cast<int>(i),
          {.kind = Init::Kind::given, .value = std::shared_ptr<const Tensor>(weights, &values)});
      graph.freeze(static_cast<int>(i));
    }
  }

  void check(const Tensor& x, const char* what) const {
    if (x.shape() != options.sample)
      fail(ErrorCode::bad_argument, "unet_model: made for samples of {}, got {} of {}",
           to_string(options.sample), what, to_string(x.shape()));
  }
};

UnetCost cost_of(const DdpmUnetOptions& unet, const UnetModelOptions& options, bool has_gradient) {
  const auto engine = make_engine(options.engine);
  const auto plan = [&](bool with_gradient) {
    Graph graph;
    const UnetModel::Impl::Compiled c = UnetModel::Impl::write(graph, unet, options, with_gradient);
    for (std::size_t i = 0; i < graph.params().size(); ++i) graph.freeze(static_cast<int>(i));
    CompileOptions compile{.threads = options.threads, .precision = options.precision};
    if (with_gradient) compile.backward_from = {c.output};
    return UnetCost{.memory = engine->memory_needed(graph, compile),
                    .memory_free = memory_free(*engine, graph),
                    .macs = count_macs(graph)};
  };
  UnetCost cost = plan(false);
  if (has_gradient) cost.memory += plan(true).memory;
  return cost;
}

UnetModel::UnetModel(const DdpmUnetOptions& unet, std::shared_ptr<const Weights> weights,
                     const UnetModelOptions& options)
    : impl_(std::make_unique<Impl>(Impl{unet, options, std::move(weights)})) {
  impl_->forward = impl_->compile(false);
}
UnetModel::UnetModel(const DdpmUnetOptions& unet, Weights weights, const UnetModelOptions& options)
    : UnetModel(unet, std::make_shared<const Weights>(std::move(weights)), options) {}
UnetModel::~UnetModel() = default;
UnetModel::UnetModel(UnetModel&&) noexcept = default;

Tensor UnetModel::predict(const Tensor& x, int t, const std::stop_token& cancel) {
  impl_->check(x, "one");
  if (!impl_->forward.forward(x, t, cancel)) return x;
  Tensor output;
  impl_->forward.program->read(impl_->forward.output, output);
  return output;
}

Tensor UnetModel::gradient(const Tensor& x, int t, const Tensor& u) {
  impl_->check(x, "one");
  Shape shape = x.shape();
  shape.c = impl_->unet.out_channels;
  if (u.shape() != shape)
    fail(ErrorCode::bad_argument, "unet_model: u is {} for an output of {}", to_string(u.shape()),
         to_string(shape));
  Impl::Compiled& c = impl_->backward;
  if (!c.program) c = impl_->compile(true);
  c.forward(x, t);
  c.program->backward(c.output, u);
  Tensor result;
  c.program->read_input_grad(c.sample, result);
  return result;
}

}  // namespace unmar
