#include "unmar/fit/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "unmar/base/random.h"
#include "unmar/observe/observe.h"

namespace unmar {
namespace fit_tiles_test {

using testing::HasSubstr;

Tensor waves(int h, int w, int c = 1) {
  Tensor x({1, c, h, w});
  for (int k = 0; k < c; ++k)
    for (int row = 0; row < h; ++row)
      for (int col = 0; col < w; ++col)
        x.at(0, k, row, col) = 0.5f + 0.3f * std::sin(0.15f * static_cast<float>(row)) *
                                          std::cos(0.1f * static_cast<float>(col + k));
  return x;
}

ProblemOptions small_network() {
  ProblemOptions options;
  options.network = SkipOptions{.down = {8, 8}, .up = {8, 8}, .skip = {2, 2}};
  options.input_channels = 8;
  return options;
}

FitOptions short_fit(int iterations = 60) {
  return {.iterations = iterations, .threads = 1, .average = 0.9f};
}

/// Root mean square.
double difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += std::pow(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]), 2);
  return std::sqrt(sum / static_cast<double>(a.count()));
}

TEST(Restricted, MakesOfAPartWhatTheWholeMakesThere) {
  const Tensor x = waves(48, 72, 2);
  Tensor mask({1, 1, 48, 72}), small({1, 1, 12, 18});
  Random(1, "mask").bernoulli(mask.values(), 0.5f);
  Random(1, "small").bernoulli(small.values(), 0.5f);
  std::vector<std::unique_ptr<Operator>> operators;
  operators.push_back(make_identity());
  operators.push_back(make_mask(mask));
  operators.push_back(make_reduction(ReduceKernel::lanczos3, 4));
  operators.push_back(make_reduction(ReduceKernel::box, 2));
  operators.push_back(make_masked(make_reduction(ReduceKernel::bicubic, 4), small));
  operators.push_back(make_gaussian_blur(1.5));
  operators.push_back(make_motion_blur(5, 30));
  for (const auto& A : operators) {
    const Tensor y = apply(*A, x);
    const int factor = x.shape().h / y.shape().h;
    const int reach = (A->reach() + factor - 1) / factor;
    for (const Rect& part : {Rect{0, 0, 32, 40}, {16, 8, 32, 64}, {8, 24, 32, 48}}) {
      const auto of_part = A->restricted(x.shape(), part);
      ASSERT_TRUE(of_part) << A->describe();
      const Tensor here = apply(*of_part, crop(x, part));
      const Rect inner{part.y / factor + reach, part.x / factor + reach,
                       part.height / factor - 2 * reach, part.width / factor - 2 * reach};
      EXPECT_LT(difference(crop(here, {reach, reach, inner.height, inner.width}), crop(y, inner)),
                1e-6)
          << A->describe();
    }
  }
}

TEST(Restricted, OfUnknownOperatorsIsNothing) {
  struct Half final : Operator {
    std::string describe() const override { return "half"; }
    Shape output_shape(const Shape& x) const override { return x; }
    NodeId write(Graph& graph, NodeId x) const override {
      return graph.add(
          Multiply{}, {x, graph.add(Constant{std::make_shared<Tensor>(graph.shape(x), 0.5f)}, {})});
    }
  } half;
  const auto engine = make_engine("ref");
  const Tensor y = waves(40, 40);
  EXPECT_THAT(test::error_text(
                  [&] { fit_tiles(y, y.shape(), half, small_network(), short_fit(), {}, *engine); },
                  ErrorCode::unsupported),
              HasSubstr("parts of half cannot be looked at alone"));
}

TEST(FitTiles, RestoresThroughOperatorsThatLookAround) {
  const Tensor x = waves(64, 96);
  const auto engine = make_engine("cpu");
  const TileOptions tiles{.side = 40, .overlap = 8, .warm_up = 30};
  for (const auto& A :
       {make_identity(), make_gaussian_blur(1), make_reduction(ReduceKernel::box, 2)}) {
    const Tensor y = apply(*A, x);
    int parts = 0;
    const FitResult result = fit_tiles(y, x.shape(), *A, small_network(), short_fit(150), tiles,
                                       *engine, [&](const FitProgress& p) {
                                         parts = p.parts;
                                         EXPECT_EQ(p.restored.shape(), x.shape());
                                       });
    EXPECT_EQ(result.parts.size(), static_cast<std::size_t>(parts));
    EXPECT_GT(parts, 4) << A->describe();
    EXPECT_EQ(result.parts.front().phase, "warm-up");
    EXPECT_EQ(result.iterations, 30 + (parts - 1) * 150);
    EXPECT_LT(difference(result.best, x), 0.06) << A->describe();
    const Tensor flat(x.shape(), 0.5f);
    EXPECT_LT(difference(result.best, x), 0.5 * difference(flat, x)) << A->describe();
  }
}

TEST(FitTiles, OneTileIsOneFitBehindItsWarmUp) {
  const Tensor y = waves(40, 40);
  const auto engine = make_engine("cpu");
  const auto A = make_identity();
  const FitResult tiled = fit_tiles(y, y.shape(), *A, small_network(), short_fit(),
                                    {.side = 64, .overlap = 8, .warm_up = 20}, *engine);
  FitOptions first = short_fit(20);
  first.return_state = true;
  const Problem problem = make_problem(y, y.shape(), *A, small_network());
  const FitResult warm = fit(problem, *engine, first, *make_fixed_count());
  FitOptions then = short_fit();
  then.weights = &warm.state.params;
  EXPECT_LT(difference(tiled.best, fit(problem, *engine, then, *make_fixed_count()).best), 1e-7);
}

TEST(FitTiles, EachTileHasAStopperOfItsOwnAndIsResumedToTheSame) {
  const Tensor y = waves(40, 72);
  const auto engine = make_engine("cpu");
  const auto A = make_identity();
  std::vector<Rect> parts;
  TileOptions tiles{.side = 40, .overlap = 8, .warm_up = 10};
  tiles.make_stopper = [&](const Rect& part) {
    parts.push_back(part);
    return make_windowed_variance({.window = 5, .patience = 10, .min_start = 5});
  };
  std::string state;
  const auto keep = [&](const FitProgress& p) {
    if (p.part == 1 && p.row.iteration == 17) state = p.save();
  };
  const FitResult whole =
      fit_tiles(y, y.shape(), *A, small_network(), short_fit(), tiles, *engine, keep);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1], (Rect{0, 32, 40, 40}));
  FitOptions go_on = short_fit();
  go_on.resume = state;
  const FitResult resumed = fit_tiles(y, y.shape(), *A, small_network(), go_on, tiles, *engine);
  EXPECT_TRUE(std::ranges::equal(resumed.best.values(), whole.best.values()));
}

TEST(FitTiles, CancelledThereIsNoPicture) {
  const Tensor y = waves(40, 72);
  const auto engine = make_engine("cpu");
  for (const int moment : {5, 25}) {  // of the warm-up, and of the first tile
    std::stop_source source;
    const FitResult result = fit_tiles(
        y, y.shape(), *make_identity(), small_network(), short_fit(),
        {.side = 40, .overlap = 8, .warm_up = 10}, *engine,
        [&](const FitProgress& p) {
          if (p.row.iteration == moment) source.request_stop();
        },
        source.get_token());
    EXPECT_EQ(result.stopped_by, StoppedBy::cancelled);
    EXPECT_TRUE(result.best.empty()) << moment;
  }
}

TEST(FitTiles, TakesNoStateOfOtherTiles) {
  const Tensor y = waves(40, 72), narrow = waves(40, 71);
  const auto engine = make_engine("cpu");
  const TileOptions tiles{.side = 40, .overlap = 8, .warm_up = 10};
  std::string state;
  fit_tiles(y, y.shape(), *make_identity(), small_network(), short_fit(12), tiles, *engine,
            [&](const FitProgress& p) {
              if (p.row.iteration == 15) state = p.save();
            });
  FitOptions go_on = short_fit(12);
  go_on.resume = state;
  TileOptions others = tiles;
  others.overlap = 12;
  const auto refused = [&](const Tensor& picture, const TileOptions& own) {
    return test::error_text(
        [&] {
          fit_tiles(picture, picture.shape(), *make_identity(), small_network(), go_on, own,
                    *engine);
        },
        ErrorCode::bad_input);
  };
  EXPECT_THAT(refused(y, others), HasSubstr("other tiles"));
  EXPECT_THAT(refused(narrow, tiles), HasSubstr("another picture"));
}

TEST(FitTiles, FindsWhatDoesNotFitBeforeTheFirstIteration) {
  const Tensor y = waves(60, 60, 3);
  const auto engine = make_engine("ref");
  const TileOptions tiles{.side = 40, .overlap = 8};
  const auto text = [&](const Operator& A, const ProblemOptions& problem) {
    return test::error_text(
        [&] { fit_tiles(y, y.shape(), A, problem, short_fit(), tiles, *engine); });
  };
  ProblemOptions problem = small_network();
  problem.hidden = Tensor({1, 1, 60, 60}, 0.f);
  EXPECT_THAT(text(*make_identity(), problem), HasSubstr("hidden [1,1,60,60]"));
  problem = small_network();
  EXPECT_THAT(text(*make_mask(Tensor({1, 1, 64, 64}, 1.f)), problem), HasSubstr("mask: is 64x64"));
  Tensor mask({1, 1, 60, 60}, 1.f);
  for (int row = 0; row < 45; ++row) std::fill_n(&mask.at(0, 0, row, 0), 45, 0.f);
  EXPECT_THAT(text(*make_mask(mask), problem),
              HasSubstr("of the 40x40 values at (0, 0) none is known"));
}

TEST(FitTiles, RefusesWhatBelongsToOneFit) {
  const Tensor y = waves(40, 40);
  const auto engine = make_engine("ref");
  const auto text = [&](const ProblemOptions& problem, const TileOptions& tiles) {
    return test::error_text(
        [&] { fit_tiles(y, y.shape(), *make_identity(), problem, short_fit(), tiles, *engine); });
  };
  ProblemOptions problem = small_network();
  EXPECT_THAT(text(problem, {.side = 8, .overlap = 8}), HasSubstr("smaller than the side"));
  problem.own_input = waves(40, 40);
  EXPECT_THAT(text(problem, {}), HasSubstr("belong to one fit"));
  EXPECT_THAT(test::error_text([] { crop(waves(4, 4), {0, 0, 5, 4}); }), HasSubstr("not inside"));
}

}  // namespace fit_tiles_test
}  // namespace unmar
