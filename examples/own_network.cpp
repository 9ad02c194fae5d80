// Fits a network of one's own, written node by node: half the size and back, with a skip
// connection.
//
//   own_network [ITERATIONS]
#include <unmar/unmar.h>

#include <cstdlib>
#include <iostream>

using namespace unmar;

namespace {

/// Convolution, instance norm, SiLU: [n,c,h,w] -> [n,channels,h/stride,w/stride].
NodeId block(Graph& graph, NodeId x, int channels, int stride) {
  x = graph.add(Conv2d{channels, 3, stride, Border::reflect}, {x});
  x = graph.add(Norm{NormKind::instance}, {x});
  return graph.add(Activation{ActivationKind::silu}, {x});
}

/// z [n,c,h,w] -> [n,image.c,h,w], any size.
NodeId hourglass(Graph& graph, NodeId z, const Shape& image) {
  const NodeId fine = block(graph, z, 8, 1);
  NodeId x = block(graph, block(graph, z, 32, 2), 32, 2);  // a quarter of the size
  x = graph.add(Linear::resize(graph.shape(x), ResizeKind::bilinear, image.h, image.w), {x});
  x = block(graph, graph.add(Concat{}, {fine, x}), 32, 1);
  x = graph.add(Conv2d{.out_c = image.c, .kernel = 1}, {x});
  return graph.add(Activation{ActivationKind::sigmoid}, {x});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Image clean(1, 64, 64, 0.2f);
    for (int i = 0; i < 32 * 32; ++i) clean.at(0, 16 + i / 32, 16 + i % 32) = 0.8f;
    const Image noisy = simulate(clean, {.sigma = 25.f / 255, .seed = 7}).image;
    const Tensor y = to_tensor(noisy);

    ProblemOptions problem_options;
    problem_options.own_network = hourglass;
    const Problem problem = make_problem(y, y.shape(), *make_identity(), problem_options);

    FitOptions options;
    options.iterations = argc > 1 ? std::atoi(argv[1]) : 300;
    options.average = 0.95f;
    const FitResult result = fit(problem, *make_engine(), options, *make_fixed_count());
    std::cout << problem.graph.param_count() << " parameters, " << result.iterations
              << " iterations: PSNR " << psnr(noisy, clean) << " dB -> "
              << psnr(to_image(result.best), clean) << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
