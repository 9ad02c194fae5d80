#include "unmar/tasks/refine_tiles.h"

#include <algorithm>

#include "tasks/support.h"
#include "tiny_model.h"

namespace unmar::tasks_test {
namespace refine_tiles_test {

using test::tiny_model;
using testing::HasSubstr;

/// Four steps with fresh noise at each.
RefineOptions in_tiles(int factor = 1) {
  RefineOptions options{.restore = tiny(6), .sampler = "ddpm", .steps = 4};
  options.restore.tile = "64";
  options.restore.sigma = 51;
  if (factor > 1) {
    options.restore.sigma = std::nullopt;
    options.restore.factor = factor;
  }
  options.start = 300;
  options.consistency = Consistency::none;
  return options;
}

/// Of a picture of 1 channel.
struct InTiles {
  InTiles(Task task, const Image& picture, const RefineOptions& options,
          const Image* prior = nullptr, DiffusersModel model = tiny_model())
      : parts(parts_of(picture)),
        prior_parts(prior ? parts_of(*prior) : nullptr),
        refiner(task, 1, std::move(model), options, prior_parts.get()),
        tiling(task, *parts, nullptr,
               fit_options_of(task, options, tiny_model().unet,
                              {1, 1, picture.height(), picture.width()}),
               &refiner) {}
  std::unique_ptr<PictureParts> parts, prior_parts;
  TileRefiner refiner;
  Tiling tiling;
};

float largest_difference(const Image& a, const Image& b) {
  EXPECT_TRUE(a.same_size(b));
  float most = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    most = std::max(most, std::abs(a.pixels()[i] - b.pixels()[i]));
  return most;
}

// A model that sees no noise takes none away: what comes out is the prior with the chain's noise.
TEST(TileRefiner, TheChainsOfNeighboursHaveTheSameNoiseWhereTheyOverlap) {
  for (const auto& [task, factor] : {std::pair{Task::denoise, 1}, {Task::upscale, 2}}) {
    const Image picture(1, 100 / factor, 90 / factor, 0.4f);
    const Image prior(1, picture.height() * factor, picture.width() * factor, 0.4f);
    const RefineOptions options = in_tiles(factor);
    RefineContext context;
    context.prior = &prior;
    context.place = {0, 0};
    const Image whole = refine(task, picture, nullptr, tiny_model(1, true), options, context).image;
    EXPECT_GT(largest_difference(whole, prior), 0.1f);
    const InTiles tiled(task, picture, options, &prior, tiny_model(1, true));
    const TileStart start = tiled.tiling.begin();
    EXPECT_TRUE(start.weights.empty()) << "nothing is fitted";
    const TileGrid grid = tiled.tiling.result_grid();
    ASSERT_EQ(grid.count(), 4);
    for (int tile = 0; tile < grid.count(); ++tile) {
      const Rect r = grid.tile(tile);
      EXPECT_LE(largest_difference(tiled.tiling.restore(tile, start)->image,
                                   crop(whole, r.y, r.x, r.height, r.width)),
                1e-6f)
          << to_string(task) << " " << tile;
    }
  }
}

TEST(TileRefiner, EachTileHasAFitAndAChain) {
  const Image picture = test_picture(100, 90, 1);
  const InTiles tiled(Task::denoise, picture, in_tiles());
  const TileStart start = tiled.tiling.begin();
  EXPECT_FALSE(start.weights.empty());
  std::vector<double> shares;
  const Restored tile =
      *tiled.tiling.restore(3, start, {}, 0, [&](double share) { shares.push_back(share); });
  EXPECT_EQ(tile.fit.iterations, 6);
  ASSERT_EQ(shares.size(), 10u);
  EXPECT_TRUE(std::ranges::is_sorted(shares));
  EXPECT_EQ(shares[5], 0.5);
  EXPECT_EQ(shares.back(), 1.0);
  // The same whoever does it, after whatever else.
  const Restored other = *tiled.tiling.restore(0, start, {}, 2);
  EXPECT_NE(largest_difference(other.image, tile.image), 0.f);
  EXPECT_EQ(largest_difference(tiled.tiling.restore(3, start, {}, 2)->image, tile.image), 0.f);
}

TEST(TileRefiner, CountsWhatItsChainsTake) {
  const Image picture = test_picture(100, 90, 1);
  const InTiles tiled(Task::denoise, picture, in_tiles());
  const auto parts = parts_of(picture);
  const Tiling fits(Task::denoise, *parts, nullptr,
                    fit_options_of(Task::denoise, in_tiles(), tiny_model().unet, {1, 1, 100, 90}));
  EXPECT_EQ(tiled.tiling.memory_needed(),
            fits.memory_needed() + tiled.refiner.memory_beside_fit({1, 1, 64, 64}));
  EXPECT_GT(tiled.refiner.memory_beside_fit({1, 1, 64, 64}), 1000u);
  EXPECT_GT(tiled.refiner.seconds_beside_fit({1, 1, 64, 64}, {}), 0.0);
}

TEST(TileRefiner, TilesOfLargePicturesHoldThoseOfTheModel) {
  DdpmUnetOptions unet = tiny_model().unet;
  unet.sample_size = 256;
  const Shape large{1, 1, 1200, 1000}, small{1, 1, 500, 500};
  const auto tile = [&](const RefineOptions& options, Task task, const Shape& picture) {
    return fit_options_of(task, options, unet, picture).tile.value_or("auto");
  };
  RefineOptions options;
  EXPECT_EQ(tile(options, Task::denoise, large), "256");
  EXPECT_EQ(tile(options, Task::denoise, small), "auto");
  options.restore.tile = "64";
  EXPECT_EQ(tile(options, Task::denoise, large), "64");
  options = {.restore = {.factor = 3}};
  EXPECT_EQ(tile(options, Task::upscale, large), "258");
  unet.sample_size = 32;
  EXPECT_EQ(tile(options, Task::upscale, large), "auto");
}

TEST(TileRefiner, RefusesBeforeTheWorkBegins) {
  const auto refused = [](int channels, const RefineOptions& options) {
    return error_of([&] { TileRefiner(Task::denoise, channels, tiny_model(), options); },
                    channels == 1 ? ErrorCode::bad_argument : ErrorCode::bad_input);
  };
  EXPECT_THAT(refused(3, in_tiles()), HasSubstr("gray pictures but the given one is RGB"));
  RefineOptions options = in_tiles();
  options.start = 1000;
  EXPECT_THAT(refused(1, options), HasSubstr("0 to 999"));
  options = in_tiles();
  options.from = StartFrom::input;
  options.start = std::nullopt;
  options.restore.sigma = std::nullopt;
  EXPECT_THAT(refused(1, options), HasSubstr("give `sigma`"));
  // What a tile without a hole would never notice.
  options = in_tiles();
  options.from = StartFrom::input;
  options.start = std::nullopt;
  EXPECT_THAT(error_of([&] { TileRefiner(Task::inpaint, 1, tiny_model(), options); },
                       ErrorCode::bad_argument),
              HasSubstr("give `start`"));
  DiffusersModel large = tiny_model();
  large.unet.sample_size = 80;
  const Image picture = test_picture(100, 90, 1);
  EXPECT_THAT(error_of([&] { InTiles(Task::denoise, picture, in_tiles(), nullptr, large); },
                       ErrorCode::bad_argument),
              HasSubstr("80x80 px or more but the tiles have 64x64; give a larger `tile`"));
}

}  // namespace refine_tiles_test
}  // namespace unmar::tasks_test
