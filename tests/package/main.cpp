// Uses the installed library: a short fit must bring a noisy picture nearer to the clean one, and
// an error thrown inside must be caught as what it is.
#include <unmar/unmar.h>

#include <iostream>

int main() {
  try {
    unmar::Image clean(1, 32, 32, 0.2f);
    for (int y = 8; y < 24; ++y)
      for (int x = 8; x < 24; ++x) clean.at(0, y, x) = 0.8f;
    const unmar::Image noisy = unmar::simulate(clean, {.sigma = 0.1f, .seed = 7}).image;

    unmar::RestoreOptions options{.iterations = 150, .seed = 7};
    options.scales = 3;
    options.channels = 16;
    const unmar::Restored result = unmar::denoise(noisy, options, {.reference = &clean});
    std::cout << "unmar " << unmar::version() << ": PSNR " << *result.psnr_input << " dB -> "
              << *result.psnr << " dB\n";
    if (*result.psnr < *result.psnr_input + 3) {
      std::cerr << "error: the picture gained less than 3 dB\n";
      return 1;
    }
    unmar::read_image("no such file.png");
  } catch (const unmar::Error& error) {
    return error.code() == unmar::ErrorCode::io ? 0 : 1;
  }
  std::cerr << "error: a missing file was read\n";
  return 1;
}
