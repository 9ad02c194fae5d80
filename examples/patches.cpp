// Removes noise in seconds, and lets another picture help: the noise is estimated, the patch filter
// makes a first result, and a step with a pilot takes up what another method found.
//
//   patches NOISY CLEAN
//
// Without arguments: a picture made here.
#include <unmar/unmar.h>

#include <iostream>

using namespace unmar;

namespace {

/// Stripes and a disc.
Image drawing() {
  Image image(3, 96, 96, 0.3f);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 96; ++y)
      for (int x = 0; x < 96; ++x) {
        if ((x + y) / 6 % 2 == 0) image.at(c, y, x) = 0.45f + 0.1f * static_cast<float>(c);
        if ((x - 48) * (x - 48) + (y - 40) * (y - 40) < 500) image.at(c, y, x) = 0.8f;
      }
  return image;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Image clean = argc > 2 ? read_image(argv[2]) : drawing();
    const Image noisy =
        argc > 2 ? read_image(argv[1]) : simulate(clean, {.sigma = 25.f / 255, .seed = 1}).image;

    const NoiseModel noise = estimate_noise(noisy);
    const Image filtered = patches_denoise(noisy, noise);
    // Any picture of the same scene may be the pilot; here it is the filter's own, once more.
    const Tensor step = patches_step(to_tensor(noisy), to_tensor(filtered), noise);
    const Image result = clamped(to_image(step, noisy.source));

    std::cout << to_string(noise) << ": PSNR " << psnr(noisy, clean) << " dB, filtered "
              << psnr(filtered, clean) << " dB, and a step -> " << psnr(result, clean) << " dB\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
