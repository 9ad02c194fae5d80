// Restores from a damage that the library does not know: its operator is written with existing ops,
// and the gradient follows from them.
//
//   own_operator [ITERATIONS]
#include <unmar/unmar.h>

#include <cstdlib>
#include <iostream>
#include <memory>

using namespace unmar;

namespace {

/// A camera whose lens darkens the corners and whose sensor averages 2 x 2 pixels.
class VignetteAndBinning final : public Operator {
 public:
  std::string describe() const override { return "vignette and 2x2 binning"; }
  Shape output_shape(const Shape& x) const override { return {x.n, x.c, x.h / 2, x.w / 2}; }
  NodeId write(Graph& graph, NodeId x) const override {
    const Shape& s = graph.shape(x);
    const auto gain = std::make_shared<Tensor>(Shape{s.n, 1, s.h, s.w});
    for (int n = 0; n < s.n; ++n)
      for (int row = 0; row < s.h; ++row)
        for (int col = 0; col < s.w; ++col) {
          const float dy = 2.f * row / s.h - 1, dx = 2.f * col / s.w - 1;
          gain->at(n, 0, row, col) = 1 / ((1 + dy * dy) * (1 + dx * dx));
        }
    const NodeId darkened = graph.add(Multiply{}, {x, graph.add(Constant{gain}, {})});
    return graph.add(Linear::average_pool(graph.shape(darkened), 2), {darkened});  // [n,c,h/2,w/2]
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Tensor clean({1, 1, 64, 64}, 0.2f);
    for (int row = 16; row < 48; ++row)
      for (int col = 8 + row / 4; col < 48; ++col) clean.at(0, 0, row, col) = 0.8f;
    const VignetteAndBinning A;
    const Tensor y = apply(A, clean);

    ProblemOptions network;
    network.network = SkipOptions{.down = {16, 16, 16}, .up = {16, 16, 16}, .skip = {4, 4, 4}};
    const Problem problem = make_problem(y, clean.shape(), A, network);
    FitOptions options;
    options.iterations = argc > 1 ? std::atoi(argv[1]) : 300;
    options.average = 0.9f;
    const FitResult result = fit(problem, *make_engine(), options, *make_fixed_count());

    std::cout << A.describe() << ": PSNR " << psnr(enlarge_bicubic(to_image(y), 2), to_image(clean))
              << " dB enlarged -> " << psnr(to_image(result.best), to_image(clean))
              << " dB restored\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
