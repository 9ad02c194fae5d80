// Ends the fit by a rule of one's own: the discrepancy principle (Morozov 1966). A restored picture
// should be as far from the noisy one as the noise is strong; any closer is fitted noise.
//
//   own_stopper [ITERATIONS]
#include <unmar/unmar.h>

#include <cstdlib>
#include <iostream>

using namespace unmar;

namespace {

class DiscrepancyPrinciple final : public Stopper {
 public:
  explicit DiscrepancyPrinciple(float sigma) : variance_(sigma * sigma) {}
  std::string name() const override { return "discrepancy principle"; }
  Verdict observe(const Iterate& iterate) override {
    ratio_ = iterate.loss / variance_;
    return {.new_best = true, .stop = ratio_ <= 1};
  }
  std::optional<double> signal() const override { return ratio_; }
  void rewind(int) override {}  // each loss is judged on its own

 private:
  float variance_;
  float ratio_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    constexpr float kSigma = 25.f / 255;
    Image clean(1, 64, 64, 0.2f);
    for (int y = 16; y < 48; ++y)
      for (int x = 8 + y / 4; x < 48; ++x) clean.at(0, y, x) = 0.8f;
    const Tensor noisy =
        to_tensor(simulate(clean, {.sigma = kSigma, .clip = false, .seed = 7}).image);

    ProblemOptions network;
    network.network = SkipOptions{.down = {16, 16, 16}, .up = {16, 16, 16}, .skip = {4, 4, 4}};
    const Problem problem = make_problem(noisy, noisy.shape(), *make_identity(), network);
    DiscrepancyPrinciple stopper(kSigma);
    FitOptions options;
    options.iterations = argc > 1 ? std::atoi(argv[1]) : 1000;
    options.average = 0;  // the iterate itself, as it was judged
    const FitResult result = fit(problem, *make_engine(), options, stopper);

    std::cout << "ended by the " << to_string(result.stopped_by) << " after " << result.iterations
              << " iterations: PSNR " << psnr(to_image(noisy), clean) << " dB -> "
              << psnr(to_image(result.best), clean) << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
