#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/observe/observe.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "checks.h"
#include "commands.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

struct DegradeArguments {
  std::filesystem::path input, output, mask, mask_out;
  std::optional<double> noise;  // 0-255
  std::optional<double> poisson, speckle, salt_pepper;
  std::optional<double> missing;
  std::optional<std::string> blur;
  std::optional<int> shrink;
  std::string kernel = "lanczos3";
  bool clip = true, invert_mask = false;
  std::uint64_t seed = 0;
  PictureArguments pictures;
  WriteOptions writing;
};

const std::vector<std::pair<std::string, ReduceKernel>> kKernels = {
    {"lanczos2", ReduceKernel::lanczos2},
    {"lanczos3", ReduceKernel::lanczos3},
    {"bicubic", ReduceKernel::bicubic},
    {"box", ReduceKernel::box}};

/// What --blur names: a shape, or a picture of the kernel.
std::unique_ptr<Operator> blur(const std::string& text, const PictureArguments& pictures) {
  if (std::filesystem::is_regular_file(text))
    return make_kernel_blur(to_tensor(to_gray(pictures.read(text))));
  return blur_in_words(text, "degrade");
}

SimulateOptions simulate_options(const DegradeArguments& a) {
  SimulateOptions options;
  options.sigma = static_cast<float>(a.noise.value_or(0) / 255);
  options.poisson = static_cast<float>(a.poisson.value_or(0));
  options.speckle = static_cast<float>(a.speckle.value_or(0));
  options.salt_pepper = static_cast<float>(a.salt_pepper.value_or(0));
  options.clip = a.clip;
  options.missing = static_cast<float>(a.missing.value_or(0));
  if (a.blur) options.blur = blur(*a.blur, a.pictures);
  options.shrink = a.shrink.value_or(1);
  options.seed = a.seed;
  for (const auto& [name, kernel] : kKernels)
    if (name == a.kernel) options.kernel = kernel;
  return options;
}

void check(const DegradeArguments& a) {
  const bool noise = a.noise || a.poisson || a.speckle || a.salt_pepper;
  if (!noise && !a.blur && !a.missing && !a.shrink && a.mask.empty())
    throw Error(ErrorCode::bad_argument,
                "degrade: no damage is asked for; give --noise (or --poisson, --speckle, "
                "--salt-pepper), --blur, --missing, --shrink or --mask");
  if (!a.mask_out.empty() && !a.missing && a.mask.empty())
    throw Error(ErrorCode::bad_argument,
                "degrade: --mask-out has nothing to write; it goes with --missing or --mask");
  check_writable(a.output);
  if (!a.mask_out.empty()) check_writable(a.mask_out);
}

/// Black where the mask is; the mask of the result is that of both.
void apply_mask(Simulated& damaged, const Image& given, const DegradeArguments& a) {
  const Image mask = to_gray(given);
  Image& image = damaged.image;
  if (mask.height() != image.height() || mask.width() != image.width())
    throw Error(
        ErrorCode::bad_input,
        fmt::format("degrade: the mask '{}' is {}x{} px but the result is {}x{} px; give a mask "
                    "of the same size",
                    a.mask.string(), mask.width(), mask.height(), image.width(), image.height()));
  if (damaged.mask.empty()) damaged.mask = Image(1, image.height(), image.width(), 1.f);
  for (std::size_t i = 0; i < mask.count(); ++i) {
    const float known = a.invert_mask ? 1.f - mask.pixels()[i] : mask.pixels()[i];
    damaged.mask.pixels()[i] *= known;
    for (int c = 0; c < image.channels(); ++c) image.plane(c)[i] *= known;
  }
}

int run(const DegradeArguments& a) {
  check(a);
  const Image clean = a.pictures.read(a.input);
  Simulated damaged = simulate(clean, simulate_options(a));
  if (!a.mask.empty()) apply_mask(damaged, read_mask(a.mask, a.pictures.read_options(a.mask)), a);

  write_image(a.output, damaged.image, a.writing);
  if (!a.mask_out.empty()) {
    if (damaged.mask.empty())  // --missing 0
      damaged.mask = Image(1, damaged.image.height(), damaged.image.width(), 1.f);
    write_image(a.mask_out, damaged.mask);
  }
  if (a.missing && a.mask_out.empty())
    fmt::print(stderr,
               "note: without --mask-out nobody can tell missing pixels from black ones, and "
               "'unmar inpaint' needs the mask\n");
  return 0;
}

void declare_damage(CLI::App& command, DegradeArguments& a) {
  const char* group = "Damage, applied in this order";
  command
      .add_option("--blur", a.blur,
                  "blur it, by a Gaussian of standard deviation SIGMA, along a line of LENGTH at "
                  "ANGLE (degrees, counter-clockwise), by a disk of RADIUS as out of focus (all in "
                  "pixels), or by the kernel in a picture, whose centre is its middle; the edges "
                  "are mirrored")
      ->type_name("gauss:SIGMA|motion:LENGTH,ANGLE|disk:RADIUS|FILE")
      ->group(group);
  command
      .add_option("--shrink", a.shrink,
                  "make it 2, 3, 4 or 8 times smaller; sizes that do not "
                  "divide are cropped first")
      ->type_name("FACTOR")
      ->check(one_of({"2", "3", "4", "8"}))
      ->group(group);
  command.add_option("--kernel", a.kernel, "low-pass filter for --shrink (default lanczos3)")
      ->type_name("lanczos2|lanczos3|bicubic|box")
      ->check(one_of({"lanczos2", "lanczos3", "bicubic", "box"}))
      ->group(group);
  command
      .add_option("--poisson", a.poisson,
                  "count photons: shot noise, the weaker the more PHOTONS a white pixel gets")
      ->type_name("PHOTONS")
      ->check(in_range(1, 500))
      ->group(group);
  command
      .add_option("--speckle", a.speckle,
                  "multiply by Gaussian noise of mean 1 and this standard deviation")
      ->type_name("SIGMA")
      ->check(in_range(0, 1))
      ->group(group);
  command
      .add_option("--noise", a.noise, "add Gaussian noise of this standard deviation (0-255 scale)")
      ->type_name("SIGMA")
      ->check(in_range(0, 255))
      ->group(group);
  command
      .add_option("--salt-pepper", a.salt_pepper,
                  "make this fraction of the values (0 to 1) black or white")
      ->type_name("FRACTION")
      ->check(in_range(0, 1))
      ->group(group);
  command
      .add_flag("--clip,!--no-clip", a.clip,
                "cut noisy values to the range of the picture, as the usual test pictures are "
                "(default on; without it only float files keep what is beyond)")
      ->group(group);
  command.add_option("--missing", a.missing, "lose this fraction of the pixels (0 to 1): black")
      ->type_name("FRACTION")
      ->check(in_range(0, 0.9999))
      ->group(group);
  command
      .add_option("--mask", a.mask,
                  "lose the pixels where this picture is black, e.g. under a text")
      ->type_name("MASK")
      ->group(group);
  command.add_flag("--invert-mask", a.invert_mask, "lose those where it is white")->group(group);
  command.add_option("--seed", a.seed, "start of the random numbers (default 0)")
      ->type_name("N")
      ->check(whole_in_range(0, 9'007'199'254'740'992))
      ->group(group);
}

}  // namespace

void add_degrade_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<DegradeArguments>();  // shared with the callback below
  CLI::App* command = program.add_subcommand(
      "degrade", "Damage a clean picture, to try a restoration on it\n\nSame seed, same damage.");
  command->footer(
      "Examples:\n"
      "  unmar degrade photo.png -o noisy.png --noise 25 --seed 1\n"
      "  unmar degrade photo.png -o holed.png --missing 0.5 --mask-out mask.png\n"
      "  unmar degrade photo.png -o small.png --shrink 4\n"
      "  unmar degrade photo.png -o shaken.png --blur motion:15,30 --noise 2\n"
      "  unmar degrade photo.png -o written_over.png --mask text.png");
  command->add_option("CLEAN", a->input, "the clean picture")->required()->group("Files");
  command->add_option("-o,--output", a->output, "where to write the damaged picture")
      ->required()
      ->type_name("OUT")
      ->group("Files");
  command->add_option("--mask-out", a->mask_out, "where to write which pixels are left: white")
      ->type_name("MASK")
      ->group("Files");
  declare_writing(*command, a->writing);
  declare_damage(*command, *a);
  a->pictures.declare(*command);
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
