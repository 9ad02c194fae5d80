#include "unmar/fit/deep_image_prior.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/fail.h"
#include "fit/problem_graph.h"

namespace unmar {
namespace {

/// The engine's name of a device: "cuda" is the first of "cuda:0", "cuda:1".
std::string find_device(const Engine& engine, std::string_view device) {
  if (device == "auto") return {};
  std::vector<std::string> names;
  for (const DeviceInfo& d : engine.devices()) {
    if (d.name == device || d.name.starts_with(fmt::format("{}:", device))) return d.name;
    names.push_back(d.name);
  }
  const bool known = device == "cpu" || device.starts_with("cuda");
  fail(known ? ErrorCode::unsupported : ErrorCode::bad_argument,
       "device '{}': engine '{}' has no such device here, only {}; leave the device out", device,
       engine.info().name, fmt::join(names, ", "));
}

/// "auto" with a device is the engine that has it.
std::unique_ptr<Engine> engine_for(const std::string& name, std::string_view device) {
  if (name == "auto")
    for (const std::string& engine : engine_names())
      if (device.starts_with(engine)) return make_engine(engine);
  return make_engine(name);
}

/// Image `i` of a stack, as a stack of one.
Tensor slice(const Tensor& stack, int i) {
  Shape one = stack.shape();
  one.n = 1;
  Tensor image(one);
  std::copy_n(stack.data() + static_cast<std::size_t>(i) * one.count(), one.count(), image.data());
  return image;
}

void put(const Tensor& image, Tensor& stack, int i) {
  std::copy_n(image.data(), image.count(),
              stack.data() + static_cast<std::size_t>(i) * image.count());
}

Shape with_n(Shape shape, int n) {
  shape.n = n;
  return shape;
}

/// The image that a network makes of noise whose own image is not known.
Shape image_of(const Shape& noise, const NetworkOptions& network, int channels) {
  Shape image{noise.n, channels, noise.h, noise.w};
  if (const auto* decoder = std::get_if<DecoderOptions>(&network)) {
    image.h <<= decoder->layers;
    image.w <<= decoder->layers;
  }
  if (std::holds_alternative<ConvDecoderOptions>(network))
    fail(ErrorCode::bad_argument,
         "DeepImagePrior: the size of the image is not known from noise of {}; call "
         "get_random_input first",
         to_string(noise));
  return image;
}

/// The parameters of a fit take the place of the start values.
void take_weights(const Graph& graph, const FitResult& fitted, Program& program) {
  TrainState state = program.state();
  for (std::size_t i = 0; i < graph.params().size(); ++i) {
    const Param& param = graph.params()[i];
    const auto found = std::ranges::find(fitted.param_names, param.name);
    if (found == fitted.param_names.end()) continue;
    const auto at = static_cast<std::size_t>(found - fitted.param_names.begin());
    const Tensor& value = fitted.state.params[at];
    if (value.shape() != param.shape)
      fail(ErrorCode::bad_argument,
           "DeepImagePrior: '{}' is {} but the noise needs {}; give noise with the channels that "
           "were fitted",
           param.name, to_string(value.shape()), to_string(param.shape));
    state.params[i] = value;
  }
  program.restore(state);
}

}  // namespace

DeepImagePrior::DeepImagePrior(DeepImagePriorOptions options) : options_(std::move(options)) {
  make_engine(options_.engine);  // an unknown one is an error now, not after the first call
}

ProblemOptions DeepImagePrior::problem_options(float reg_noise_std) const {
  ProblemOptions problem;
  problem.network = options_.network;
  problem.input = options_.input;
  problem.input_channels = options_.input_channels;
  problem.optimise = options_.optimise;
  problem.reg_noise_std = reg_noise_std;
  problem.seed = options_.seed;
  return problem;
}

Tensor DeepImagePrior::get_random_input(const Shape& target_shape, std::string_view device) {
  find_device(*engine_for(options_.engine, device), device);
  // One picture's noise for all: each is fitted by itself, from the same start.
  const Tensor one = make_input(with_n(target_shape, 1), problem_options(0.f));
  target_ = target_shape;
  Tensor stack(with_n(one.shape(), target_shape.n));
  for (int i = 0; i < target_shape.n; ++i) put(one, stack, i);
  return stack;
}

Tensor DeepImagePrior::forward(const Tensor& noise) {
  const auto fitted = static_cast<int>(results_.size());
  if (fitted > 1 && fitted != noise.shape().n)
    fail(ErrorCode::bad_argument,
         "DeepImagePrior: {} images were fitted, each with its own weights, but the noise is {}; "
         "give one per image",
         fitted, to_string(noise.shape()));
  const Shape one = with_n(noise.shape(), 1);
  const int channels = target_.c > 0 ? target_.c : options_.output_channels;
  Shape image = with_n(target_, 1);
  const bool belongs =
      target_.c > 0 && network_input_size(image, options_.network) == Size{one.h, one.w};
  if (!belongs) image = image_of(one, options_.network, channels);

  Graph graph;
  const NodeId z = graph.add(Input{one}, {}, "noise");
  const NodeId x = write_picture(graph, z, image, {.network = options_.network});
  const auto program =
      make_engine(options_.engine)->compile(graph, {options_.seed, options_.threads});

  Tensor result(with_n(image, noise.shape().n)), out;
  for (int i = 0; i < noise.shape().n; ++i) {
    if (fitted > 0)
      take_weights(graph, results_[static_cast<std::size_t>(fitted > 1 ? i : 0)], *program);
    program->set_input(z, slice(noise, i));
    program->forward(0, false);
    program->read(x, out);
    put(out, result, i);
  }
  return result;
}

Tensor DeepImagePrior::generate_prior(const Tensor& target_image, int iterations,
                                      float reg_noise_std, std::string_view device,
                                      const PriorContext& context) {
  const auto engine = engine_for(options_.engine, device);
  const auto identity = make_identity();
  const Operator& A = context.observation ? *context.observation : *identity;
  const int n = target_image.shape().n;
  const Shape image =
      with_n(context.image_shape.count() > 0 ? context.image_shape : target_image.shape(), 1);

  FitOptions fit_options;
  fit_options.device = find_device(*engine, device);
  fit_options.iterations = iterations;
  fit_options.adam.lr = options_.learning_rate;
  fit_options.seed = options_.seed;
  fit_options.threads = options_.threads;
  fit_options.average = context.average;
  fit_options.return_state = true;

  const ProblemOptions problem_options = this->problem_options(reg_noise_std);
  require_memory("DeepImagePrior", 0, image, A, problem_options, fit_options, *engine);
  std::vector<FitResult> results;
  Tensor restored(with_n(image, n));
  for (int i = 0; i < n; ++i) {
    const Problem problem = make_problem(slice(target_image, i), image, A, problem_options);
    const auto stopper = context.make_stopper ? context.make_stopper() : make_fixed_count();
    std::stop_source cancel;
    results.push_back(fit(
        problem, *engine, fit_options, *stopper, nullptr,
        [&](const FitProgress& progress) {
          if (context.on_iteration && !context.on_iteration(i, progress)) cancel.request_stop();
        },
        cancel.get_token()));
    put(results.back().best, restored, i);
  }
  results_ = std::move(results);
  target_ = with_n(image, n);
  return restored;
}

}  // namespace unmar
