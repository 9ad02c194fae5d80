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
  VignetteAndBinning() = default;
  /// Of a part of its picture.
  VignetteAndBinning(const Shape& whole, const Rect& part) : whole_(whole), part_(part) {}

  std::string describe() const override { return "vignette and 2x2 binning"; }
  Shape output_shape(const Shape& x) const override { return {x.n, x.c, x.h / 2, x.w / 2}; }
  NodeId write(Graph& graph, NodeId x) const override {
    const Shape& s = graph.shape(x);
    const Shape& whole = part_.height > 0 ? whole_ : s;
    const auto gain = std::make_shared<Tensor>(Shape{s.n, 1, s.h, s.w});
    for (int n = 0; n < s.n; ++n)
      for (int row = 0; row < s.h; ++row)
        for (int col = 0; col < s.w; ++col) {
          const float dy = 2.f * (part_.y + row) / whole.h - 1;
          const float dx = 2.f * (part_.x + col) / whole.w - 1;
          gain->at(n, 0, row, col) = 1 / ((1 + dy * dy) * (1 + dx * dx));
        }
    const NodeId darkened = graph.add(Multiply{}, {x, graph.add(Constant{gain}, {})});
    return graph.add(Linear::average_pool(graph.shape(darkened), 2), {darkened});  // [n,c,h/2,w/2]
  }
  /// So that large pictures can be fitted in tiles.
  std::unique_ptr<Operator> restricted(const Shape& x, const Rect& part) const override {
    return std::make_unique<VignetteAndBinning>(x, part);
  }

 private:
  Shape whole_{};  ///< of which it sees `part_`, if that is not empty
  Rect part_;
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
    const auto engine = make_engine();
    const FitResult result = fit(problem, *engine, options, *make_fixed_count());
    // Memory does not grow with the picture in tiles, here of 40 px to show it.
    const FitResult tiles =
        fit_tiles(y, clean.shape(), A, network, options, {.side = 40, .overlap = 8}, *engine);

    std::cout << A.describe() << ": PSNR " << psnr(enlarge_bicubic(to_image(y), 2), to_image(clean))
              << " dB enlarged -> " << psnr(to_image(result.best), to_image(clean))
              << " dB restored, in tiles " << psnr(to_image(tiles.best), to_image(clean))
              << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
