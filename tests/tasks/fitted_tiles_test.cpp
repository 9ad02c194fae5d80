#include <algorithm>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "fit/canvas.h"
#include "tasks/blend.h"
#include "tasks/fitted_tiles.h"
#include "tasks/support.h"

namespace unmar::tasks_test {
namespace fitted_tiles_test {

constexpr int kHeight = 200, kWidth = 204, kIterations = 3;

/// What --method auto and quick leave open, but for the size of the network.
RestoreOptions small() {
  RestoreOptions options = tiny(kIterations);
  options.stop = std::nullopt;
  options.engine = "cpu";
  return options;
}

Image noisy(int height = kHeight, int width = kWidth) {
  return simulate(test_picture(height, width, 1), {.sigma = 0.1f, .seed = 1}).image;
}

std::optional<TileGrid> tiles_of(const Image& picture, const RestoreOptions& given) {
  return fitted_tiles(Task::denoise, picture, resolve(Task::denoise, given));
}

bool same_values(const Tensor& a, const Tensor& b) {
  return std::ranges::equal(a.values(), b.values());
}

TEST(FittedTiles, AreOfPicturesAboveASizeBesideTheFilter) {
  EXPECT_FALSE(tiles_of(noisy(199, 200), {}));
  ASSERT_TRUE(tiles_of(noisy(200, 200), {}));
  EXPECT_EQ(tiles_of(noisy(200, 200), {})->count(), 4);
  EXPECT_EQ(tiles_of(noisy(200, 200), {})->tile(3), (Rect{88, 88, 112, 112}));
  EXPECT_EQ(tiles_of(noisy(150, 400), {})->count(), 3);
  for (const auto& choose : std::vector<void (*)(RestoreOptions&)>{
           [](RestoreOptions& o) { o.tile = "none"; },
           [](RestoreOptions& o) { o.method = Method::dip; },
           [](RestoreOptions& o) { o.preset = Preset::best; },
           [](RestoreOptions& o) { o.preset = Preset::paper; },
           [](RestoreOptions& o) { o.runs = 2; },
           [](RestoreOptions& o) { o.stop = StopRule::none; },
           [](RestoreOptions& o) { o.network = "unet"; },
           [](RestoreOptions& o) { o.prior = FitPrior::staged; }}) {
    RestoreOptions options;
    choose(options);
    EXPECT_FALSE(tiles_of(noisy(200, 200), options));
  }
}

TEST(FittedTiles, AreNotOfAPictureWithAnEmptyCorner) {
  Image picture = noisy();
  std::vector<SampleUse> use(picture.count(), SampleUse::used);
  for (int y = 0; y < 110; ++y)
    for (int x = 0; x < 112; ++x)
      use[static_cast<std::size_t>(y * kWidth + x)] = SampleUse::discarded;
  picture.source.use = std::make_shared<const std::vector<SampleUse>>(use);
  EXPECT_FALSE(tiles_of(picture, {}));
}

TEST(FittedTiles, ACanvasShowsDoneTilesThisOneAndWhatIsAround) {
  const TileGrid grid(6, 6, 4, 2);
  ASSERT_EQ(grid.count(), 4);
  const Shape shape{1, 2, 6, 6};
  const Tensor around(shape, 0.25f);
  Tensor sum;
  for (int tile = 0; tile < 4; ++tile) {
    const Rect rect = grid.tile(tile);
    const Tensor one({1, 2, rect.height, rect.width}, 1.f);
    Canvas canvas(grid, tile, around, tile > 0 ? &sum : nullptr);
    const Tensor shown = canvas.with(one);
    EXPECT_NEAR(shown.at(0, 1, 0, 0), 1.f, 1e-6f);
    EXPECT_NEAR(shown.at(0, 1, 5, 5), tile < 3 ? 0.25f : 1.f, 1e-6f);
    const Tensor share = canvas.share_of(one);
    EXPECT_EQ(share.shape(), shape);
    if (tile == 0) sum = Tensor(shape, 0.f);
    for (std::size_t i = 0; i < sum.count(); ++i) sum.data()[i] += share.data()[i];
  }
  for (const float v : sum.values()) EXPECT_NEAR(v, 1.f, 1e-6f);
}

TEST(FittedTiles, AreToldAsOneFitOfTheWholePicture) {
  std::map<std::string, int> iterations;
  std::vector<int> parts;
  Tensor last;
  const auto note = [&](const FitProgress& p) {
    ++iterations[std::string(p.phase)];
    if (parts.empty() || parts.back() != p.part) parts.push_back(p.part);
    EXPECT_EQ(p.parts, 5);
    EXPECT_EQ(p.iterations, 5 * kIterations);
    ASSERT_EQ(p.restored.shape(), (Shape{1, 1, kHeight, kWidth}));
    last = p.average;
  };
  const Image picture = noisy(), clean = test_picture(kHeight, kWidth, 1);
  const Restored result = denoise(picture, small(), {.reference = &clean, .on_iteration = note});
  EXPECT_EQ(result.tiles, 4);
  EXPECT_EQ(parts, (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(iterations,
            (std::map<std::string, int>{{"warm-up", kIterations}, {"tile", 4 * kIterations}}));
  EXPECT_EQ(result.fit.parts.size(), 5u);
  ASSERT_EQ(result.fit.best.shape(), (Shape{1, 1, kHeight, kWidth}));
  for (std::size_t i = 0; i < last.count(); ++i)
    ASSERT_NEAR(last.data()[i], result.fit.best.data()[i], 1e-5f) << i;
  double weights = 0;
  for (const Candidate& candidate : result.candidates) weights += candidate.weight;
  EXPECT_NEAR(weights, 1, 1e-6);
  EXPECT_GT(*result.psnr, *result.psnr_input + 5);
}

double squared_error(const Tensor& a, const Tensor& b, const Rect& rect) {
  const Tensor part = crop(a, rect), other = crop(b, rect);
  double sum = 0;
  for (std::size_t i = 0; i < part.count(); ++i) {
    const double d = static_cast<double>(part.data()[i]) - static_cast<double>(other.data()[i]);
    sum += d * d;
  }
  return sum;
}

TEST(FittedTiles, OfWhichOneTellsNothingHaveTheWeightsOfTheWhole) {
  const Tensor clean = to_tensor(test_picture(kHeight, kWidth, 1));
  Plan plan = make_plan(Task::denoise, noisy(), nullptr, resolve(Task::denoise, small()));
  plan.noise = noise_of(plan.y, small());
  plan.tiles = tiles_of(noisy(), {});
  const Rect first = plan.tiles->tile(0), own{0, 0, 80, 80};  // own: no other tile has a part in it
  Tensor hidden(clean.shape(), 0.f);
  for (int y = 0; y < kHeight; ++y)
    for (int x = y % 2; x < kWidth; x += 2)
      if (y >= first.height || x >= first.width) hidden.at(0, 0, y, x) = 1.f;
  Blend blend(plan, resolve(Task::denoise, small()), {});
  blend.filter();
  const Tensor result = blend.with(clean, 0, {hidden, hidden});  // a perfect fit
  const auto candidates = blend.take_candidates();
  const double filtered = squared_error(to_tensor(candidates[0].image), clean, own);
  EXPECT_LT(squared_error(result, clean, own), 0.3 * filtered);  // with the usual weights: 0.52
}

TEST(FittedTiles, ResumedInAnyOfThemEndInTheSameBits) {
  const Image picture = noisy();
  std::map<int, std::string> states;  // one within each part
  const auto save = [&](const FitProgress& p) {
    if (p.row.iteration % kIterations == 1) states[p.part] = p.save();
  };
  const Restored whole = denoise(picture, small(), {.on_iteration = save});
  ASSERT_EQ(states.size(), 5u);
  for (const int part : {0, 3}) {
    const Restored resumed = denoise(picture, small(), {.resume = states[part]});
    EXPECT_TRUE(same_values(whole.fit.best, resumed.fit.best)) << part;
    EXPECT_TRUE(std::ranges::equal(whole.image.pixels(), resumed.image.pixels())) << part;
    EXPECT_EQ(resumed.fit.iterations, whole.fit.iterations);
  }
}

TEST(FittedTiles, StoppedAmongThemTheResultIsTheFilters) {
  for (const int at : {1, kIterations + 1, 3 * kIterations}) {
    std::stop_source source;
    Image filtered;
    RestoreContext context;
    context.on_first_result = [&](const Candidate& first) { filtered = first.image; };
    context.on_iteration = [&](const FitProgress& p) {
      if (p.row.iteration == at) source.request_stop();
    };
    context.cancel = source.get_token();
    const Restored result = denoise(noisy(), small(), context);
    EXPECT_EQ(result.fit.stopped_by, StoppedBy::cancelled);
    EXPECT_TRUE(std::ranges::equal(result.image.pixels(), filtered.pixels()));
    EXPECT_EQ(result.fit.best.empty(), at > kIterations) << at;
  }
}

TEST(FittedTiles, WithoutThemThePictureIsOnePiece) {
  RestoreOptions options = small();
  options.tile = "none";
  const Restored result = denoise(noisy(), options);
  EXPECT_EQ(result.tiles, 1);
  EXPECT_EQ(result.fit.iterations, kIterations);
}

}  // namespace fitted_tiles_test
}  // namespace unmar::tasks_test
