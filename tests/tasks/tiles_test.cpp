#include "unmar/tasks/tiles.h"

#include <algorithm>

#include "tasks/support.h"

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

TEST(Tiling, AFitThatDivergesIsTriedWithOtherSeedsAndThenReported) {
  Image picture = test_picture(90, 120);
  picture.at(0, 89, 119) = 1e30f;  // its square is no float
  const auto parts = parts_of(picture);
  RestoreOptions options = in_tiles();
  options.method = Method::dip;
  const Tiling tiling(Task::denoise, *parts, nullptr, options);
  std::vector<double> seeds;
  RestoreContext context;
  context.on_start = [&](const Restored& start) {
    seeds.push_back(static_cast<double>(*start.options.seed));
  };
  const auto code_of = [&](int tile) -> std::optional<ErrorCode> {
    try {
      tiling.restore(tile, {}, context);
    } catch (const Error& error) {
      return error.code();
    }
    return {};
  };
  EXPECT_EQ(code_of(tiling.grid().count() - 1), ErrorCode::numeric);
  ASSERT_EQ(seeds.size(), 3u);
  EXPECT_NE(seeds[0], seeds[1]);
  EXPECT_NE(seeds[1], seeds[2]);
  seeds.clear();
  EXPECT_FALSE(code_of(0));
  EXPECT_EQ(seeds.size(), 1u);
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
