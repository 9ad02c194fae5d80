// Restores a picture with one call.
//
//   restore [NOISY [CLEAN [ITERATIONS]]]
#include <unmar/unmar.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  const char* input = argc > 1 ? argv[1] : "noisy.png";
  const char* output = argc > 2 ? argv[2] : "clean.png";
  try {
    unmar::RestoreOptions options{.sigma = 25, .seed = 7};  // all are optional, sigma too
    if (argc > 3) options.iterations = std::atoi(argv[3]);

    const unmar::Image noisy = unmar::read_image(input);
    const unmar::Restored result = unmar::denoise(noisy, options);
    unmar::write_image(output, result.image);

    std::cout << "restored " << input << " to " << output << ": iteration "
              << result.fit.best_iteration << " of " << result.fit.iterations << "\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
