#include <algorithm>
#include <vector>

#include "base/fail.h"
#include "tasks/mask.h"
#include "tasks/task.h"
#include "tasks/values.h"

namespace unmar {
namespace {

constexpr int kLargeHole = 32;  // px

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
         "inpaint: `method` patches removes noise and fills nothing; take auto, which does both, "
         "or dip");
}

/// Of each value: 1 where the fit may look at it, else 0.
Tensor known_values(const Image& picture, const Image& known) {
  Tensor values = usable_values(picture);
  if (values.empty()) values = Tensor({1, 1, picture.height(), picture.width()}, 1.f);
  const std::size_t plane = known.count();
  for (std::size_t i = 0; i < values.count(); ++i)
    if (known.pixels()[i % plane] < 1.f) values.data()[i] = 0.f;
  return values;
}

/// What is filled can be seen.
void make_opaque(std::vector<float>& alpha, const Image& known) {
  for (std::size_t i = 0; i < alpha.size(); ++i)
    alpha[i] = std::max(alpha[i], 1.f - known.pixels()[i]);
}

/// How much of each value stays, and the picture without what nobody should look at.
void take_known(Plan& plan, const Image& holed, const Image& known, bool keep_known) {
  const Tensor usable = usable_values(holed);
  const std::size_t plane = known.count();
  Image paste(usable.empty() ? 1 : holed.channels(), holed.height(), holed.width());
  for (std::size_t i = 0; i < paste.count(); ++i) {
    const bool used = usable.empty() || usable.data()[i] > 0.f;
    paste.pixels()[i] = used ? known.pixels()[i % plane] : 0.f;
  }
  plan.input = holed;
  plan.input.source = plan.source;
  for (std::size_t i = 0; i < holed.count(); ++i)
    if (!(paste.pixels()[i % paste.count()] > 0.f)) plan.input.pixels()[i] = 0.f;
  if (keep_known) plan.paste = std::move(paste);
}

Plan plan_inpaint(const Image& holed, const Image* mask, const RestoreOptions& resolved) {
  const Image known = mask_of(holed, mask, resolved);
  Plan plan;
  plan.counts = count_values(holed, &known);
  plan.source = holed.source;
  plan.source.use = nullptr;
  make_opaque(plan.source.alpha, known);
  plan.A = make_mask(known_values(holed, known));
  plan.y = plan.A->known_part(to_tensor(holed));
  take_known(plan, holed, known, resolved.keep_known.value());
  paste_kept(plan, holed);
  if (resolved.method != Method::dip) {
    const Tensor filled = filled_by_neighbours(plan.y, fully_known(plan));
    plan.noise = noise_of(filled, resolved);
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
                   "where it is to be\nfilled, gray where what was there is blended with what is "
                   "filled. --invert-mask takes it the other\nway round. Without a mask the "
                   "transparent and the NaN pixels are filled. A hole of 32x32 pixels or\nmore is "
                   "filled as with --skip 0 --input meshgrid, unless you choose these, --network "
                   "or --preset\npaper.",
               .examples = "  unmar inpaint scratched.png --mask mask.png -o whole.png\n"
                           "  unmar inpaint photo.jpg --mask text_is_white.png --invert-mask -o "
                           "photo_clean.jpg\n"
                           "  unmar inpaint photo.jpg --mask painted_red.jpg --mask-colour FF0000 "
                           "--mask-grow 2 -o whole.jpg",
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
                         const Image& holed, const Image* mask) {
  const bool chosen = given.network || given.custom_network || given.skip || given.skip_mode ||
                      given.input || given.prior;
  if (chosen || resolved.preset == Preset::paper) return given;
  if (largest_hole(mask_of(holed, mask, resolved)) < kLargeHole) return given;
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
