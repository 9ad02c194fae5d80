#include "unmar/observe/damage.h"

namespace unmar {
namespace {

using D = DamageOptions;

std::vector<Option<D>> damage_table() {
  std::vector<Option<D>> table;
  add_group(
      table, "Damage, applied in this order",
      {in_forms(
           {"gauss:SIGMA", "motion:LENGTH,ANGLE", "disk:RADIUS", "FILE"},
           text("blur", &D::blur,
                "blur it, by a Gaussian of standard deviation SIGMA, along a line of LENGTH at "
                "ANGLE (degrees, counter-clockwise), by a disk of RADIUS as out of focus (all "
                "in pixels), or by the kernel in a picture, whose centre is its middle; the "
                "edges are mirrored")),
       shown_as("FACTOR", one_of("shrink", &D::shrink, {2, 3, 4, 8},
                                 "make it 2, 3, 4 or 8 times smaller; sizes that do not divide are "
                                 "cropped first")),
       choice("kernel", &D::kernel,
              {{"lanczos2", ReduceKernel::lanczos2},
               {"lanczos3", ReduceKernel::lanczos3},
               {"bicubic", ReduceKernel::bicubic},
               {"box", ReduceKernel::box}},
              "low-pass filter for --shrink"),
       shown_as(
           "PHOTONS",
           number("poisson", &D::poisson, 1, 500,
                  "count photons: shot noise, the weaker the more PHOTONS a white pixel gets")),
       shown_as("SIGMA",
                number("speckle", &D::speckle, 0, 1,
                       "multiply by Gaussian noise of mean 1 and this standard deviation")),
       shown_as("SIGMA", in_unit("0-255 scale", number("noise", &D::noise, 0, 255,
                                                       "add Gaussian noise of this standard "
                                                       "deviation"))),
       shown_as("FRACTION", number("salt-pepper", &D::salt_pepper, 0, 1,
                                   "make this fraction of the values (0 to 1) black or white")),
       flag("clip", &D::clip,
            "cut noisy values to the range of the picture, as the usual test pictures are; without "
            "it only float files keep what is beyond"),
       shown_as("FRACTION", number("missing", &D::missing, 0, 0.9999,
                                   "lose this fraction of the pixels (0 to 1): black")),
       integer("seed", &D::seed, 0, 9'007'199'254'740'992, "start of the random numbers")});
  return table;
}

}  // namespace

const std::vector<Option<DamageOptions>>& damage_options() {
  static const std::vector<Option<D>> table = damage_table();
  return table;
}

SimulateOptions simulate_options(const DamageOptions& damage) {
  const auto part = [](const std::optional<double>& value, double scale = 1) {
    return static_cast<float>(value.value_or(0) / scale);
  };
  return {.sigma = part(damage.noise, 255),
          .poisson = part(damage.poisson),
          .speckle = part(damage.speckle),
          .salt_pepper = part(damage.salt_pepper),
          .clip = damage.clip,
          .missing = part(damage.missing),
          .shrink = damage.shrink.value_or(1),
          .kernel = damage.kernel,
          .seed = damage.seed};
}

}  // namespace unmar
