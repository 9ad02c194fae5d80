#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/observe/damage.h>
#include <unmar/tasks/tasks.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "commands.h"
#include "console.h"
#include "option_flags.h"
#include "pictures.h"

namespace unmar::cli {
namespace {

struct DegradeArguments {
  std::filesystem::path input, output, mask, mask_out;
  bool invert_mask = false;
  DamageOptions damage;
  PictureArguments pictures;
  WriteOptions writing;
};

/// What --blur names: a shape, or a picture of the kernel.
std::unique_ptr<Operator> blur(const std::string& text, const PictureArguments& pictures) {
  if (std::filesystem::is_regular_file(text))
    return make_kernel_blur(to_tensor(to_gray(pictures.read(text))));
  return blur_in_words(text, "degrade");
}

void check(const DegradeArguments& a) {
  const DamageOptions& d = a.damage;
  const bool noise = d.noise || d.poisson || d.speckle || d.salt_pepper;
  if (!noise && !d.blur && !d.missing && !d.shrink && a.mask.empty())
    throw Error(ErrorCode::bad_argument,
                "degrade: no damage is asked for; give --noise (or --poisson, --speckle, "
                "--salt-pepper), --blur, --missing, --shrink or --mask");
  if (!a.mask_out.empty() && !d.missing && a.mask.empty())
    throw Error(ErrorCode::bad_argument,
                "degrade: --mask-out has nothing to write; it goes with --missing or --mask");
  check_writable(a.output);
  if (!a.mask_out.empty()) check_writable(a.mask_out);
}

/// Black where the mask is; the mask of the result is that of both. A mask means what it does to
/// the tasks: nearly white and nearly black are so, gray blends.
void apply_mask(Simulated& damaged, const Image& given, const DegradeArguments& a) {
  const Image mask = known_pixels(given, {.invert_mask = a.invert_mask});
  Image& image = damaged.image;
  if (mask.height() != image.height() || mask.width() != image.width())
    throw Error(
        ErrorCode::bad_input,
        fmt::format("degrade: the mask '{}' is {}x{} px but the result is {}x{} px; give a mask "
                    "of the same size",
                    a.mask.string(), mask.width(), mask.height(), image.width(), image.height()));
  if (damaged.mask.empty()) damaged.mask = Image(1, image.height(), image.width(), 1.f);
  for (std::size_t i = 0; i < mask.count(); ++i) {
    const float known = mask.pixels()[i];
    damaged.mask.pixels()[i] *= known;
    for (int c = 0; c < image.channels(); ++c) image.plane(c)[i] *= known;
  }
}

int run(const DegradeArguments& a) {
  check(a);
  const Image clean = a.pictures.read(a.input);
  SimulateOptions options = simulate_options(a.damage);
  if (a.damage.blur) options.blur = blur(*a.damage.blur, a.pictures);
  Simulated damaged = simulate(clean, options);
  if (!a.mask.empty()) apply_mask(damaged, read_mask(a.mask, a.pictures.read_options(a.mask)), a);

  write_image(a.output, damaged.image, a.writing);
  if (!a.mask_out.empty()) {
    if (damaged.mask.empty())  // --missing 0
      damaged.mask = Image(1, damaged.image.height(), damaged.image.width(), 1.f);
    write_image(a.mask_out, damaged.mask);
  }
  if (a.damage.missing && a.mask_out.empty())
    say("note: without --mask-out nobody can tell missing pixels from black ones, and "
        "'unmar inpaint' needs the mask");
  return 0;
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
  command
      ->add_option(
          "--mask", a->mask,
          "lose the pixels where this picture is black, e.g. under a text; gray is blended "
          "with black")
      ->type_name("MASK")
      ->group("Files");
  command->add_flag("--invert-mask", a->invert_mask, "lose those where it is white")
      ->group("Files");
  declare_options(*command, damage_options(), a->damage, "degrade");
  a->pictures.declare(*command);
  command->callback([a, &chosen] { chosen = [a] { return run(*a); }; });
}

}  // namespace unmar::cli
