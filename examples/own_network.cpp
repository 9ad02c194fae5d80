// Fits a network of one's own: a perceptron from Fourier features of a position to its value.
//
//   own_network [ITERATIONS]
#include <unmar/unmar.h>

#include <cmath>
#include <cstdlib>
#include <iostream>

using namespace unmar;

namespace {

NodeId layer(Graph& graph, NodeId x, int channels, ActivationKind activation) {
  return graph.add(Activation{activation},
                   {graph.add(Conv2d{.out_c = channels, .kernel = 1}, {x})});
}

Problem make_network_problem(const Tensor& y) {
  const Shape& s = y.shape();
  const auto z = std::make_shared<Tensor>(Shape{1, 16, s.h, s.w});
  for (int c = 0; c < 16; ++c)  // sine and cosine of row and column, frequencies 1, 2, 4 and 8
    for (int row = 0; row < s.h; ++row)
      for (int col = 0; col < s.w; ++col) {
        const float angle = float(1 << c / 4) * (c % 2 ? 3.14f * row / s.h : 3.14f * col / s.w);
        z->at(0, c, row, col) = c / 2 % 2 ? std::sin(angle) : std::cos(angle);
      }
  Problem problem;
  Graph& graph = problem.graph;
  const NodeId features = graph.add(Constant{z}, {}, "z");            // [1,16,h,w]
  NodeId x = layer(graph, features, 32, ActivationKind::leaky_relu);  // [1,32,h,w]
  x = layer(graph, x, 32, ActivationKind::leaky_relu);                // [1,32,h,w]
  x = graph.add(Concat{}, {features, x});                             // [1,48,h,w]
  problem.restored = layer(graph, x, s.c, ActivationKind::sigmoid);
  const NodeId observed = graph.add(Constant{std::make_shared<Tensor>(y)}, {}, "y");
  problem.fidelity = graph.add(Mse{}, {problem.restored, observed});
  for (const NodeId id : {problem.restored, problem.fidelity}) graph.keep(id);
  graph.set_loss(problem.fidelity);
  return problem;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Image clean(1, 64, 64, 0.2f);
    for (int i = 0; i < 32 * 32; ++i) clean.at(0, 16 + i / 32, 16 + i % 32) = 0.8f;
    const Image noisy = simulate(clean, {.sigma = 25.f / 255, .seed = 7}).image;
    const Problem problem = make_network_problem(to_tensor(noisy));
    FitOptions options;
    options.iterations = argc > 1 ? std::atoi(argv[1]) : 300;
    const FitResult result = fit(problem, *make_engine(), options, *make_fixed_count());
    std::cout << result.iterations << " iterations: PSNR " << psnr(noisy, clean) << " dB -> "
              << psnr(to_image(result.best), clean) << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
