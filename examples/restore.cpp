// The shortest use of the library: restores noisy.png. Say how strong the noise is if you know.
#include <unmar/unmar.h>

#include <iostream>

int main() {
  try {
    const unmar::Image noisy = unmar::read_image("noisy.png");
    const unmar::Restored result = unmar::denoise(noisy, {.sigma = 25, .seed = 7});
    unmar::write_image("clean.png", result.image);
    std::cout << "the result is that of iteration " << result.fit.best_iteration << "\n";
  } catch (const unmar::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
