#include "unmar/tasks/tiles.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/fail.h"
#include "tasks/fitted_tiles.h"
#include "tasks/mask.h"
#include "tasks/plan.h"
#include "tasks/task.h"
#include "tasks/values.h"

namespace unmar {
namespace {

constexpr int kFilterSide = 320;   // px; the filter alone has no moment to end at
constexpr int kLeastSide = 64;     // a network with four scales needs some pixels
constexpr double kWhole = 1e6;     // px; more is cut
constexpr int kLeastOverlap = 16;  // px of the result

constexpr int kWidest = 1024;  // px; of the part that a tile is restored in

int reach_of(Task task, const RestoreOptions& resolved) {
  const auto counted = task_spec(task).counted;
  const int reach = counted ? counted(resolved)->reach() : 0;
  const int factor = enlargement_of(task, resolved);
  return (reach + factor - 1) / factor;
}

RestoreOptions as_tiles(Task task, const RestoreOptions& given) {
  RestoreOptions suited = suited_to_tiles(task, given);
  suited.tile = "none";
  return suited;
}

/// Rows of `block` into `whole`, which marks what block marks.
void paste(const Image& block, Image& whole, int first_row) {
  const std::size_t from =
      static_cast<std::size_t>(first_row) * static_cast<std::size_t>(whole.width());
  auto use = *whole.source.use;
  for (int c = 0; c < block.channels(); ++c) {
    const auto plane = block.plane(c);
    std::ranges::copy(plane, whole.plane(c).begin() + static_cast<std::ptrdiff_t>(from));
    for (std::size_t i = 0; i < plane.size() && block.source.use; ++i)
      use[static_cast<std::size_t>(c) * whole.plane(0).size() + from + i] =
          (*block.source.use)[static_cast<std::size_t>(c) * plane.size() + i];
  }
  whole.source.use = std::make_shared<const std::vector<SampleUse>>(std::move(use));
}

/// Values within `reach` px of where the part was cut out of the picture are not looked at.
void hide_cuts(Image& part, const Rect& rect, const PictureParts& picture, int reach) {
  if (reach == 0) return;
  const auto& marked = part.source.use;
  std::vector<SampleUse> use = marked ? *marked : std::vector<SampleUse>(part.count());
  const auto spoilt = [reach](int at, int from, int size, int all) {
    return (from > 0 && at < reach) || (from + size < all && at >= size - reach);
  };
  for (std::size_t i = 0; i < use.size(); ++i) {
    const auto pixel = static_cast<int>(i % part.plane(0).size());
    if (spoilt(pixel / rect.width, rect.y, rect.height, picture.height()) ||
        spoilt(pixel % rect.width, rect.x, rect.width, picture.width()))
      use[i] = SampleUse::discarded;
  }
  part.source.use = std::make_shared<const std::vector<SampleUse>>(std::move(use));
}

/// Half as wide again on every side, as far as the picture goes.
Rect widened(const Rect& rect, const PictureParts& picture) {
  const auto grown = [](int from, int size, int all) {
    const int begin = std::max(0, from - size / 2);
    return std::pair{begin, std::min(all, from + size + size / 2) - begin};
  };
  const auto [y, height] = grown(rect.y, rect.height, picture.height());
  const auto [x, width] = grown(rect.x, rect.width, picture.width());
  return {y, x, height, width};
}

/// Whether weights of one serve the other; suit_hole() may have chosen another network.
bool same_network(const RestoreOptions& a, const RestoreOptions& b) {
  return a.skip == b.skip && a.input == b.input;
}

/// Of about so many pixels, in square blocks spread over the picture one above the other: the whole
/// if it has no more. `look` returns a part.
template <class Look>
Image sample_of(const PictureParts& picture, Look look) {
  constexpr int kBlock = 512, kBlocks = 8;
  if (static_cast<double>(picture.height()) * picture.width() <= kBlock * kBlock * kBlocks)
    return look({0, 0, picture.height(), picture.width()});
  const TileGrid blocks(picture.height(), picture.width(), kBlock, 0);
  const Rect first = blocks.tile(0);
  Image sample;
  for (int k = 0; k < kBlocks; ++k) {
    const auto at = static_cast<int>((2 * std::int64_t{k} + 1) * blocks.count() / (2 * kBlocks));
    const Image block = look(blocks.tile(at));
    if (sample.empty()) {
      sample = Image(block.channels(), kBlocks * first.height, first.width);
      sample.source.use = std::make_shared<const std::vector<SampleUse>>(sample.count());
    }
    paste(block, sample, k * first.height);
  }
  return sample;
}

}  // namespace

int tile_side(Task task, int height, int width, const RestoreOptions& resolved) {
  const std::string tile = resolved.tile.value_or("auto");
  if (tile == "none") return 0;
  const double factor = enlargement_of(task, resolved);
  if (tile == "auto") {
    const int side = resolved.method == Method::patches ? kFilterSide : kTileSide;
    return factor * height * factor * width > kWhole ? side : 0;
  }
  int side = 0;
  const auto [end, error] = std::from_chars(tile.data(), tile.data() + tile.size(), side);
  if (error != std::errc{} || end != tile.data() + tile.size() || side < kLeastSide)
    fail(ErrorCode::bad_argument,
         "{}: `tile` must be auto, none or a side of at least {} px, got '{}'", to_string(task),
         kLeastSide, tile);
  return side;
}

TileGrid tile_grid(Task task, int height, int width, const RestoreOptions& resolved) {
  const int side = tile_side(task, height, width, resolved);
  if (side == 0) return {height, width, std::max(height, width), 0};
  // What a cut spoils must lie where the neighbour has the larger share.
  const int reach = reach_of(task, resolved);
  const int own = std::max({side / enlargement_of(task, resolved), 2, 6 * reach});
  const int usual = resolved.method == Method::patches ? kTileOverlap : own / kOverlapShare;
  const int overlap = std::clamp(
      std::max({usual, kLeastOverlap / enlargement_of(task, resolved), 2 * reach}), 1, own / 2);
  return {height, width, own, overlap};
}

std::size_t memory_of_tile(Task task, const Shape& observed, const RestoreOptions& given) {
  const Rect tile = tile_grid(task, observed.h, observed.w, resolve(task, given)).tile(0);
  return memory_needed(task, {1, observed.c, tile.height, tile.width}, as_tiles(task, given));
}

void serialize(Archive& archive, NoiseModel& noise) {
  auto kind = static_cast<int>(noise.kind);
  archive(kind, noise.sigma, noise.channels, noise.gain, noise.offset, noise.poisson_share,
          noise.correlation, noise.reach, noise.impulses);
  archive.require(kind >= 0 && kind <= static_cast<int>(NoiseKind::correlated),
                  "there is no such noise");
  noise.kind = static_cast<NoiseKind>(kind);
}

void serialize(Archive& archive, TileStart& start) { archive(start.noise, start.weights); }

/// What the restoration of a tile looks at: more than the tile where little of that is known.
struct Tiling::Part {
  Rect rect;
  Image picture;
  std::shared_ptr<const Image> known = {};  ///< inpaint
  bool has_work = true;                     ///< in the tile
};

Tiling::Tiling(Task task, const PictureParts& picture, const PictureParts* known,
               const RestoreOptions& given, const TileRestorer* restorer)
    : task_(task),
      picture_(picture),
      known_(known),
      restorer_(restorer),
      has_iterations_(given.iterations.has_value()),
      given_(as_tiles(task, given)),
      resolved_(resolve(task, given_)),
      factor_(enlargement_of(task, resolved_)),
      reach_(reach_of(task, resolved_)),
      grid_(tile_grid(task, picture.height(), picture.width(), resolve(task, given))) {
  if (grid_.count() == 1) given_ = given, resolved_ = resolve(task, given);
  if (restorer_) restorer_->check(shape_of_tile());
  if (given_.guide)
    check_guide(task, *given_.guide, picture.width() * factor_, picture.height() * factor_);
}

std::size_t Tiling::memory_needed() const {
  const Shape tile = shape_of_tile();
  const bool has_fit = !restorer_ || restorer_->has_fit();
  return (has_fit ? unmar::memory_needed(task_, tile, given_) : 0) +
         (restorer_ ? restorer_->memory_beside_fit(tile) : 0);
}

Shape Tiling::shape_of_tile() const {
  const Rect tile = grid_.tile(0);
  return {1, picture_.channels(), tile.height, tile.width};
}

Tiling Tiling::fits_alone() const {
  Tiling fits(*this);
  fits.restorer_ = nullptr;
  return fits;
}

Tiling::Part Tiling::look_at(const Rect& rect) const {
  Part part{.rect = rect, .picture = picture_.part(rect)};
  if (task_info(task_).needs_mask)
    part.known = std::make_shared<const Image>(known_ ? known_->part(rect)
                                                      : Image(1, rect.height, rect.width, 1.f));
  hide_cuts(part.picture, rect, picture_, reach_);
  return part;
}

Tiling::Part Tiling::part_of(int tile) const {
  Part part = look_at(grid_.tile(tile));
  const auto share = [&] {
    const Rect& rect = part.rect;
    return share_known(part.picture,
                       part.known ? *part.known : Image(1, rect.height, rect.width, 1.f));
  };
  part.has_work = !part.known || !resolved_.keep_known.value() || share() < 1;
  // A hole is filled from around it.
  while (part.has_work && share() < kLeastKnown) {
    const Rect wider = widened(part.rect, picture_);
    const bool widest = wider == part.rect || std::max(wider.height, wider.width) > kWidest;
    if (widest && !part.known) {  // a border without data, say, which nobody asked to fill
      part.has_work = share() > 0;
      break;
    }
    if (widest)
      fail(ErrorCode::too_large,
           "{}: the hole at ({}, {}) is too wide for tiles of {} px; give a larger `tile`, or none",
           to_string(task_), part.rect.x, part.rect.y, grid_.tile(tile).width);
    part = look_at(wider);
  }
  return part;
}

RestoreOptions Tiling::options_for(const Part& part, const TileStart& start) const {
  RestoreOptions options = given_;
  options.known = part.known;
  if (start.noise) options.noise_model = std::make_shared<const NoiseModel>(*start.noise);
  if (start.noise && resolved_.input == InputKind::filtered) {
    RestoreOptions suited = resolved_;
    suit_noise(given_, *start.noise, !has_iterations_ && ends_soon(task_, resolved_), suited);
    options.input = suited.input;  // once for all tiles: weights go from one to the others
    options.iterations = suited.iterations;
  }
  if (given_.guide) {
    const Rect& r = part.rect;
    options.guide = std::make_shared<const Image>(
        crop(*given_.guide, r.y * factor_, r.x * factor_, r.height * factor_, r.width * factor_));
  }
  return options;
}

/// Whether a part's fit has the network that the others have: in a hole it may have another.
bool Tiling::has_usual_network(const Part& part, const RestoreOptions& options) const {
  RestoreOptions usual = resolved_;
  if (usual.input == InputKind::filtered) usual.input = options.input.value_or(*usual.input);
  return same_network(resolve_for(task_, part.picture, nullptr, options), usual);
}

std::optional<NoiseModel> Tiling::noise() const {
  if (grid_.count() == 1 || resolved_.method.value_or(Method::dip) == Method::dip) return {};
  RestoreOptions options = resolved_;
  if (task_info(task_).needs_mask)
    options.known = std::make_shared<const Image>(sample_of(picture_, [&](const Rect& rect) {
      return known_ ? known_->part(rect) : Image(1, rect.height, rect.width, 1.f);
    }));
  const Image sample = sample_of(picture_, [&](const Rect& r) { return picture_.part(r); });
  return make_plan(task_, sample, nullptr, options).noise;
}

TileStart Tiling::begin(const RestoreContext& context) const {
  TileStart start;
  if (grid_.count() == 1) return start;
  start.noise = noise();
  const bool has_fit = resolved_.method != Method::patches && (!restorer_ || restorer_->has_fit());
  if (!has_fit || resolved_.prior == FitPrior::gan) return start;
  RestoreContext own;
  own.cancel = context.cancel;
  own.return_weights = true;
  own.attempts = kTileAttempts;
  for (int k = 0; k < grid_.count() && !context.cancel.stop_requested(); ++k) {
    const Part part = part_of((grid_.middle() + k) % grid_.count());
    if (!part.has_work) continue;
    RestoreOptions options = options_for(part, start);
    if (!has_usual_network(part, options)) continue;
    if (task_spec(task_).method && options.input.value_or(*resolved_.input) != InputKind::filtered)
      options.method = Method::dip;
    options.runs = 1;
    options.stop = StopRule::none;
    options.iterations = kWarmUpIterations;
    start.weights = unmar::restore(task_, part.picture, nullptr, options, own).weights;
    break;
  }
  return start;
}

std::optional<Restored> Tiling::restore(int tile, const TileStart& start,
                                        const RestoreContext& context, int threads,
                                        const std::function<void(double)>& on_share) const {
  const Part part = part_of(tile);
  if (!part.has_work) return std::nullopt;
  RestoreOptions options = options_for(part, start);
  if (threads > 0) options.threads = threads;
  RestoreContext own = context;
  own.reference = nullptr;
  own.attempts = kTileAttempts;
  if (!start.weights.empty() && has_usual_network(part, options)) own.weights = &start.weights;
  if (on_share && !restorer_)
    own.on_iteration = [&](const FitProgress& progress) {
      on_share(static_cast<double>(progress.row.iteration + 1) / progress.iterations);
    };
  Restored restored = restorer_
                          ? restorer_->restore(part.picture, part.rect, options, own, on_share)
                          : unmar::restore(task_, part.picture, nullptr, options, own);
  const Rect rect = grid_.tile(tile);
  restored.image =
      crop(restored.image, (rect.y - part.rect.y) * factor_, (rect.x - part.rect.x) * factor_,
           rect.height * factor_, rect.width * factor_);
  return restored;
}

Image Tiling::input(int tile) const {
  const Image picture = picture_.part(grid_.tile(tile));
  return factor_ == 1 ? picture : enlarge_bicubic(picture, factor_);
}

ValueCounts Tiling::counts() const {
  constexpr int kRows = 128;
  ValueCounts sum;
  for (int y = 0; y < picture_.height(); y += kRows) {
    const Rect rows{y, 0, std::min(kRows, picture_.height() - y), picture_.width()};
    const Image known = known_ ? known_->part(rows) : Image();
    sum += count_values(picture_.part(rows), known_ ? &known : nullptr);
  }
  return sum;
}

ImageSource Tiling::result_source() const {
  ImageSource source = input(0).source;
  source.alpha.clear();
  source.forget_samples();
  source.metadata = with_maker(task_, source.metadata);
  return source;
}

}  // namespace unmar
