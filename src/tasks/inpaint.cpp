#include <algorithm>
#include <vector>

#include "base/fail.h"
#include "tasks/task.h"

namespace unmar {
namespace {

constexpr int kLargeHole = 32;  // px

/// One channel, 1 known, 0 missing.
Image known_pixels(const Image& mask, const Image& picture, bool invert) {
  if (mask.width() != picture.width() || mask.height() != picture.height())
    fail(ErrorCode::bad_input,
         "inpaint: the mask is {}x{} px but the picture is {}x{} px; give a mask of the same size",
         mask.width(), mask.height(), picture.width(), picture.height());

  Image known = clamped(to_gray(mask));
  // Masks that other programs store as 0 and 1 would otherwise look black everywhere.
  const float white = *std::max_element(known.pixels().begin(), known.pixels().end());
  for (float& v : known.pixels()) {
    if (white > 0.f) v = std::min(1.f, v / white);
    if (invert) v = 1.f - v;
  }

  const auto [least, most] = std::minmax_element(known.pixels().begin(), known.pixels().end());
  const char* colour = invert ? "white" : "black";
  if (*most < 0.5f)
    fail(ErrorCode::bad_input,
         "inpaint: the mask is {} everywhere, so no pixel is known; white is known and black is "
         "to be filled, or the other way round with --invert-mask",
         colour);
  if (*least >= 1.f)
    fail(ErrorCode::bad_input,
         "inpaint: the mask is {} everywhere, so nothing is to be filled; white is known and "
         "black is to be filled, or the other way round with --invert-mask",
         invert ? "black" : "white");
  return known;
}

/// Side of the largest square without a known pixel, in pixels.
int largest_hole(const Image& known) {
  int largest = 0;
  // Of the squares that end at a pixel: one more than the least of its three neighbours' before.
  std::vector<int> side(known.width() + 1, 0);
  for (int y = 0; y < known.height(); ++y) {
    int above_left = 0;
    for (int x = 0; x < known.width(); ++x) {
      const int above = side[x + 1];
      const bool missing = known.at(0, y, x) < 0.5f;
      side[x + 1] = missing ? 1 + std::min({above_left, above, side[x]}) : 0;
      largest = std::max(largest, side[x + 1]);
      above_left = above;
    }
  }
  return largest;
}

/// The text-removal recipe.
void paper_inpaint(RestoreOptions& o, const RestoreOptions&) {
  o.iterations = 6001;
  o.skip = 128;
  o.upsample = UpsampleMode::nearest;
  o.average = false;
  o.rollback = 0;
  o.keep_known = false;  // the published pictures are the network's own output
}

void quick_inpaint(RestoreOptions& o, const RestoreOptions& given) {
  o.iterations = 1500;
  o.reg_noise_std = 0.01;
  // Holes are filled in pictures without noise, if nothing else is said.
  if (given.method == Method::automatic) o.keep_known = false;
}

void check_inpaint(const RestoreOptions& given) {
  if (given.method == Method::patches)
    fail(ErrorCode::bad_argument,
         "inpaint: --method patches removes noise and fills nothing; take auto, which does both, "
         "or dip");
}

Plan plan_inpaint(const Image& holed, const Image* mask, const RestoreOptions& resolved) {
  if (!mask) fail(ErrorCode::bad_argument, "inpaint: needs a mask of what is missing");
  const Image known = known_pixels(*mask, holed, resolved.invert_mask.value());
  Plan plan;
  plan.A = make_mask(to_tensor(known));
  plan.y = to_tensor(holed);
  plan.input = to_image(plan.A->known_part(plan.y), holed.source);  // missing pixels black
  plan.source = holed.source;
  if (resolved.method != Method::dip) {
    const Tensor filled = filled_by_neighbours(plan.y, fully_known(plan));
    plan.noise = estimate_noise(filled, noise_options(resolved));
  }
  if (resolved.keep_known.value()) {
    plan.paste = known;
    // A pixel on the soft edge of a mask is partly damage: only the fully known are kept.
    for (float& v : plan.paste.pixels()) v = v >= 1.f ? 1.f : 0.f;
  }
  return plan;
}

}  // namespace

TaskSpec inpaint_task() {
  return {
      .task = Task::inpaint,
      .info = {.name = "inpaint",
               .summary = "Fill the missing pixels of a picture",
               .details =
                   "The mask is a picture of the same size: white where the picture is good, black "
                   "where it is to be\nfilled. --invert-mask takes it the other way round. A hole "
                   "of 32x32 pixels or more is filled\nas with --skip 0 --input meshgrid, unless "
                   "you choose these, --network or --preset paper.",
               .examples = "  unmar inpaint scratched.png --mask mask.png -o whole.png\n"
                           "  unmar inpaint photo.jpg --mask text_is_white.png --invert-mask -o "
                           "photo_clean.jpg",
               .needs_mask = true,
               .refines = true},
      .quick = quick_inpaint,
      .best = nullptr,
      .paper = paper_inpaint,
      .method = Method::dip,
      .check = check_inpaint,
      .suit = suit_hole,
      .plan = plan_inpaint,
      .error = error_at_hidden,
  };
}

RestoreOptions suit_hole(const RestoreOptions& given, const RestoreOptions& resolved,
                         const Image& holed, const Image& mask) {
  const bool chosen = given.network || given.custom_network || given.skip || given.skip_mode ||
                      given.input || given.prior;
  if (chosen || resolved.preset == Preset::paper) return given;
  if (largest_hole(known_pixels(mask, holed, *resolved.invert_mask)) < kLargeHole) return given;
  RestoreOptions suited = given;
  suited.skip = 0;
  suited.input = InputKind::meshgrid;
  return suited;
}

Restored inpaint(const Image& holed, const Image& mask, const RestoreOptions& options,
                 const RestoreContext& context) {
  return restore(Task::inpaint, holed, &mask, options, context);
}

}  // namespace unmar
