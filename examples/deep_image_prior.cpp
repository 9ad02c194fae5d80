// The calls of the usual PyTorch notebooks: a network, a random input, and fitting one to a
// picture.
//
//   deep_image_prior [ITERATIONS]
#include <unmar/unmar.h>

#include <cstdlib>
#include <iostream>

using namespace unmar;

int main(int argc, char** argv) {
  try {
    Image clean(3, 64, 48, 0.3f);
    for (int i = 0; i < 32 * 24; ++i) clean.at(i % 3, 16 + i / 24, 12 + i % 24) = 0.9f;
    const Image noisy = simulate(clean, {.sigma = 25.f / 255, .seed = 7}).image;

    DeepImagePriorOptions options;
    options.network = UnetOptions{.hidden_size = 16, .bilinear = true, .depth = 2};
    options.seed = 1;
    DeepImagePrior prior(options);

    PriorContext context;
    context.average = 0.9f;
    context.on_iteration = [](int, const FitProgress& at) {
      if (at.row.iteration % 50 == 0) std::cout << "loss " << at.row.loss << "\n";
      return true;  // false would end it
    };
    const int iterations = argc > 1 ? std::atoi(argv[1]) : 200;
    const Tensor restored =
        prior.generate_prior(to_tensor(noisy), iterations, 1.f / 30, "cpu", context);

    const Tensor z = prior.get_random_input(restored.shape(), "cpu");
    const Tensor without_jitter = prior.forward(z);
    std::cout << "noise " << to_string(z.shape()) << " -> image "
              << to_string(without_jitter.shape()) << "\n"
              << iterations << " iterations: PSNR " << psnr(noisy, clean) << " dB -> "
              << psnr(to_image(restored), clean) << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
