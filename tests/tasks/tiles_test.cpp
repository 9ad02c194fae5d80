#include "unmar/tasks/tiles.h"

#include <algorithm>
#include <cmath>

#include "tasks/support.h"
#include "unmar/base/random.h"

namespace unmar::tasks_test {
namespace tiles_test {

RestoreOptions in_tiles(int iterations = 4) {
  RestoreOptions options = tiny(iterations);
  options.engine = "cpu";
  options.tile = "64";
  return options;
}

TEST(Tiling, AllTilesStartFromTheSameWeightsAndNoise) {
  const Image picture = test_picture(90, 120);
  const auto parts = parts_of(picture);
  const Tiling tiling(Task::denoise, *parts, nullptr, in_tiles());
  const TileStart start = tiling.begin();
  ASSERT_FALSE(start.weights.empty());
  ASSERT_TRUE(start.noise);
  const Restored first = *tiling.restore(0, start), again = *tiling.restore(0, start);
  EXPECT_TRUE(std::ranges::equal(first.image.pixels(), again.image.pixels()));
  EXPECT_EQ(first.noise->sigma, start.noise->sigma);
  // They come from the tile in the middle.
  const TileGrid& grid = tiling.grid();
  const int middle = grid.rows().count() / 2 * grid.columns().count() + grid.columns().count() / 2;
  const auto first_loss = [&](const TileStart& from) {
    return tiling.restore(middle, from)->fit.history.front().loss;
  };
  EXPECT_LT(first_loss(start), 0.5f * first_loss({}));
}

/// At most, of the first tile under weak white noise.
int iterations_of_a_tile(const RestoreOptions& given) {
  const Image picture = simulate(test_picture(90, 120), {.sigma = 15 / 255.f, .seed = 1}).image;
  const auto parts = parts_of(picture);
  const Tiling tiling(Task::denoise, *parts, nullptr, given);
  std::stop_source source;
  RestoreContext context;
  context.cancel = source.get_token();
  int most = 0;
  context.on_start = [&](const Restored& begun) { most = *begun.options.iterations; };
  context.on_iteration = [&](const FitProgress&) { source.request_stop(); };
  const TileStart start = tiling.begin();
  EXPECT_FALSE(start.weights.empty());
  tiling.restore(0, start, context);
  return most;
}

TEST(Tiling, AFitThatStartsFromTheFiltersResultIsShortUnlessTheUserSaysOtherwise) {
  RestoreOptions options = in_tiles();
  options.stop = std::nullopt;
  options.iterations = std::nullopt;
  EXPECT_EQ(iterations_of_a_tile(options), 200);
  options.input = InputKind::uniform;
  EXPECT_GT(iterations_of_a_tile(options), 200);
  options.input = std::nullopt;
  options.stop = StopRule::wmv;
  EXPECT_GT(iterations_of_a_tile(options), 200);
}

/// A long fit under weak noise starts from noise; so do the weights that its tiles start from.
TEST(Tiling, LongFitsStartFromWeightsOfTheSameNetwork) {
  RestoreOptions options = in_tiles(600);
  options.stop = std::nullopt;
  EXPECT_EQ(iterations_of_a_tile(options), 600);
}

TEST(Tiling, AFitThatDivergesIsReported) {
  Image picture = test_picture(90, 120);
  picture.at(0, 89, 119) = 1e30f;  // its square is no float
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  options.method = Method::dip;
  const Tiling tiling(Task::denoise, *parts, nullptr, options);
  const auto code_of = [&](int tile) -> std::optional<ErrorCode> {
    try {
      tiling.restore(tile, {});
    } catch (const Error& error) {
      return error.code();
    }
    return {};
  };
  EXPECT_EQ(code_of(tiling.grid().count() - 1), ErrorCode::numeric);
  EXPECT_FALSE(code_of(0));
}

TEST(Tiling, ATileInWhichNothingIsKnownIsFilledFromAroundIt) {
  Image picture = test_picture(90, 120);
  std::vector<SampleUse> use(picture.count());
  const Tiling known(Task::denoise, *parts_of(picture), nullptr, in_tiles());
  const Rect rect = known.grid().tile(known.grid().middle());
  for (std::size_t i = 0; i < use.size(); ++i) {
    const auto pixel = static_cast<int>(i) % (90 * 120), y = pixel / 120, x = pixel % 120;
    if (y >= rect.y && y < rect.y + rect.height && x >= rect.x && x < rect.x + rect.width)
      use[i] = SampleUse::discarded;
  }
  picture.source.use = std::make_shared<const std::vector<SampleUse>>(use);
  const auto parts = parts_of(picture);
  for (const Method method : {Method::automatic, Method::dip, Method::patches}) {
    RestoreOptions options = in_tiles();
    options.method = method;
    const Tiling tiling(Task::denoise, *parts, nullptr, options);
    const TileStart start = tiling.begin();
    for (int tile = 0; tile < tiling.grid().count(); ++tile)
      EXPECT_TRUE(tiling.restore(tile, start)) << tile;
  }
  // Of nothing at all nothing is made.
  picture.source.use =
      std::make_shared<const std::vector<SampleUse>>(use.size(), SampleUse::discarded);
  const auto empty = parts_of(picture);
  const Tiling tiling(Task::denoise, *empty, nullptr, in_tiles());
  EXPECT_FALSE(tiling.restore(0, {}));
}

TEST(Tiling, RefusesAGuideOfAnotherSize) {
  const Image picture = test_picture(90, 120);
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  options.input = InputKind::guide;
  options.guide = std::make_shared<const Image>(test_picture(180, 240));
  EXPECT_THAT(
      error_of([&] { Tiling(Task::denoise, *parts, nullptr, options); }, ErrorCode::bad_input),
      testing::HasSubstr("240x180"));
}

TEST(Tiling, OfAPictureThatIsOneTileIsItsRestoration) {
  const Image picture = test_picture(40, 50);
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  const Tiling tiling(Task::denoise, *parts, nullptr, options);
  ASSERT_EQ(tiling.grid().count(), 1);
  const Image tile = tiling.restore(0, tiling.begin())->image;
  EXPECT_TRUE(std::ranges::equal(tile.pixels(), denoise(picture, options).image.pixels()));
}

TEST(Tiling, TheFitDoesNotSeeWhatACutSpoils) {
  const Image picture = test_picture(90, 120, 1);
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  options.blur = "disk:3";
  const Tiling tiling(Task::deblur, *parts, nullptr, options);
  const Restored corner = *tiling.restore(0, {});
  // Of the corner two sides are the picture's own; the others lose the reach of the disk.
  const std::size_t seen = (64 - 3) * (64 - 3);
  EXPECT_EQ(corner.values.known, seen);
}

TEST(Tiling, TilesOverlapByTwiceTheReachAtLeast) {
  RestoreOptions options = in_tiles();
  options.blur = "motion:41,0";
  const RestoreOptions resolved = resolve(Task::deblur, options);
  const Image picture = test_picture(300, 300, 1);
  const auto parts = parts_of(picture);
  const Tiling tiling(Task::deblur, *parts, nullptr, options);
  const TileAxis& axis = tiling.grid().columns();
  EXPECT_LE(axis.start(1), axis.start(0) + axis.size() - 2 * 20);
  EXPECT_EQ(tile_grid(Task::deblur, 300, 300, resolved).count(), tiling.grid().count());
}

TEST(Tiling, AHoleAsLargeAsATileIsFilledFromAroundIt) {
  const Image picture = test_picture(200, 200);
  Image known(1, 200, 200, 1.f);
  for (int y = 60; y < 150; ++y)
    for (int x = 60; x < 150; ++x) known.at(0, y, x) = 0.f;
  const auto parts = parts_of(picture), known_parts = parts_of(known);
  const Tiling tiling(Task::inpaint, *parts, known_parts.get(), in_tiles(2));
  for (int tile = 0; tile < tiling.grid().count(); ++tile) {
    const auto restored = tiling.restore(tile, {});
    const Image image = restored ? restored->image : tiling.input(tile);
    EXPECT_EQ(image.width(), 64);
    EXPECT_EQ(image.height(), 64);
  }
  Image nothing(1, 200, 200);
  nothing.at(0, 0, 0) = 1.f;
  const auto nothing_parts = parts_of(nothing);
  const Tiling hopeless(Task::inpaint, *parts, nothing_parts.get(), in_tiles(2));
  EXPECT_THAT(error_of([&] { hopeless.restore(4, {}); }, ErrorCode::too_large),
              testing::HasSubstr("too wide for tiles"));
}

// ---------------------------------------------------------------- seams

constexpr int kScene = 140;

Image gradient() {
  Image image(1, kScene, kScene);
  for (int y = 0; y < kScene; ++y)
    for (int x = 0; x < kScene; ++x)
      image.at(0, y, x) = 0.2f + 0.6f * static_cast<float>(x + 2 * y) / (3 * kScene);
  return image;
}

/// Points of a few pixels on a dark sky.
Image stars() {
  Image image(1, kScene, kScene, 0.15f);
  const Random random(1, "stars");
  std::vector<float> at(120);
  random.uniform(at, 0.f, 1.f);
  for (std::size_t k = 0; k + 2 < at.size(); k += 3)
    for (int y = 0; y < kScene; ++y)
      for (int x = 0; x < kScene; ++x) {
        const float dx = static_cast<float>(x) - kScene * at[k],
                    dy = static_cast<float>(y) - kScene * at[k + 1];
        image.at(0, y, x) += (0.2f + 0.5f * at[k + 2]) * std::exp(-(dx * dx + dy * dy) / 4.f);
      }
  return clamped(std::move(image));
}

/// Strokes of two pixels on paper, anywhere.
Image text() {
  constexpr int kStrokes = 200, kLong = 9, kWide = 2;
  Image image(1, kScene, kScene, 0.85f);
  std::vector<float> at(2 * kStrokes);
  Random(1, "strokes").uniform(at, 0.f, 1.f);
  for (std::size_t k = 0; k < at.size(); k += 2) {
    const auto first = [&](float share, int size) {
      return static_cast<int>(share * static_cast<float>(kScene - size + 1));
    };
    const int width = k % 4 == 0 ? kWide : kLong, height = kWide + kLong - width;
    const int left = first(at[k], width), top = first(at[k + 1], height);
    for (int y = top; y < top + height; ++y)
      for (int x = left; x < left + width; ++x) image.at(0, y, x) = 0.2f;
  }
  return image;
}

/// How much the error changes from pixel to pixel where a tile begins or ends, over the same up to
/// 8 px away from there, along rows and columns.
double seam(const Image& restored, const Image& clean, const TileGrid& grid) {
  double sums[2] = {0, 0}, counts[2] = {0, 0};
  const auto look = [&](const TileAxis& axis, const auto& error) {
    std::vector<bool> border(static_cast<std::size_t>(axis.length()));
    for (int tile = 0; tile < axis.count(); ++tile)
      for (const int line : {axis.start(tile) - 1, axis.start(tile) + axis.size() - 1})
        if (line >= 0 && line + 1 < axis.length()) border[static_cast<std::size_t>(line)] = true;
    for (int line = 0; line + 1 < axis.length(); ++line) {
      bool near = false;
      for (int k = std::max(0, line - 8); k < std::min(axis.length(), line + 9); ++k)
        near = near || border[static_cast<std::size_t>(k)];
      if (!near) continue;
      const std::size_t which = border[static_cast<std::size_t>(line)] ? 0 : 1;
      for (int along = 0; along < kScene; ++along)
        sums[which] += std::abs(error(line + 1, along) - error(line, along)), ++counts[which];
    }
  };
  const auto at = [&](int y, int x) {
    return static_cast<double>(restored.at(0, y, x)) - static_cast<double>(clean.at(0, y, x));
  };
  look(grid.columns(), [&](int line, int along) { return at(along, line); });
  look(grid.rows(), [&](int line, int along) { return at(line, along); });
  return sums[0] / counts[0] / (sums[1] / counts[1]);
}

/// Blended, or each tile pasted over those before it.
Image joined(const Tiling& tiling, const std::vector<Image>& tiles, bool blend) {
  Image whole(1, kScene, kScene);
  for (int tile = 0; tile < tiling.grid().count(); ++tile) {
    const Image& part = tiles[static_cast<std::size_t>(tile)];
    const int top = tiling.grid().tile(tile).y;
    tiling.grid().for_rows(tile, [&](int y, int x, const std::vector<double>& shares) {
      for (int i = 0; i < part.width(); ++i) {
        float& to = whole.at(0, y, x + i);
        const float from = part.at(0, y - top, i);
        to = blend ? to + static_cast<float>(shares[static_cast<std::size_t>(i)]) * from : from;
      }
    });
  }
  return whole;
}

TEST(Tiling, LeavesNoSeams) {
  for (const auto& [name, clean] :
       {std::pair{"gradient", gradient()}, {"stars", stars()}, {"text", text()}})
    for (const Method method : {Method::dip, Method::patches}) {
      const Image noisy = simulate(clean, {.sigma = 0.1f, .seed = 1}).image;
      RestoreOptions options = in_tiles(80);
      options.channels = 16;
      options.method = method;
      options.average_decay = 0.9;
      const auto parts = parts_of(noisy);
      const Tiling tiling(Task::denoise, *parts, nullptr, options);
      ASSERT_EQ(tiling.grid().count(), 9);
      const TileStart start = tiling.begin();
      std::vector<Image> tiles;
      for (int tile = 0; tile < 9; ++tile) tiles.push_back(tiling.restore(tile, start)->image);
      const double blended = seam(joined(tiling, tiles, true), clean, tiling.grid());
      const double pasted = seam(joined(tiling, tiles, false), clean, tiling.grid());
      EXPECT_LT(blended, 1.15) << name;
      EXPECT_GT(pasted, blended + 0.1) << name << ": the measure sees no seam";
    }
}

TEST(Tiling, AGuideIsCutAlongWithThePicture) {
  const Image picture = test_picture(90, 120);
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  options.input = InputKind::guide;
  options.guide = std::make_shared<const Image>(picture);
  const Tiling tiling(Task::denoise, *parts, nullptr, options);
  EXPECT_EQ(tiling.restore(tiling.grid().count() - 1, {})->image.width(), 64);
}

}  // namespace tiles_test
}  // namespace unmar::tasks_test
