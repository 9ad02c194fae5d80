#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "unmar/base/error.h"
#include "unmar/tensor/tiles.h"

namespace unmar {
namespace {

/// The shares of all tiles, summed up for each pixel.
std::vector<double> sums(const TileGrid& grid) {
  const int width = grid.columns().length();
  std::vector<double> sum(static_cast<std::size_t>(grid.rows().length()) *
                          static_cast<std::size_t>(width));
  for (int tile = 0; tile < grid.count(); ++tile)
    grid.for_rows(tile, [&](int y, int x0, const std::vector<double>& shares) {
      for (std::size_t x = 0; x < shares.size(); ++x) {
        EXPECT_GT(shares[x], 0);
        sum[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
            static_cast<std::size_t>(x0) + x] += shares[x];
      }
    });
  return sum;
}

TEST(TileGrid, SharesOfEveryPixelSumToOne) {
  std::mt19937 random(7);
  const auto draw = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int round = 0; round < 200; ++round) {
    const int size = draw(1, 40);
    const TileGrid grid(draw(1, 90), draw(1, 90), size, draw(0, size - 1));
    for (const double sum : sums(grid)) ASSERT_NEAR(sum, 1, 1e-12);
    for (const double sum : sums(grid.scaled(draw(1, 4)))) ASSERT_NEAR(sum, 1, 1e-12);
  }
}

TEST(TileGrid, TilesAreOfOneSizeAndOverlapAsAskedFor) {
  const TileGrid grid(200, 100, 64, 16);
  EXPECT_EQ(grid.count(), 4 * 2);
  EXPECT_EQ(grid.tile(0), (Rect{0, 0, 64, 64}));
  EXPECT_EQ(grid.tile(7), (Rect{136, 36, 64, 64}));
  for (int i = 1; i < grid.rows().count(); ++i)
    EXPECT_LE(grid.rows().start(i), grid.rows().start(i - 1) + 64 - 16);
}

TEST(TileGrid, APictureSmallerThanATileIsOne) {
  const TileGrid grid(30, 100, 64, 16);
  EXPECT_EQ(grid.tile(0), (Rect{0, 0, 30, 64}));
  EXPECT_EQ(TileGrid(30, 20, 64, 16).count(), 1);
}

TEST(TileGrid, ScaledTilesLieAtMultiples) {
  const TileGrid grid(50, 70, 24, 8);
  const TileGrid large = grid.scaled(3);
  ASSERT_EQ(large.count(), grid.count());
  for (int i = 0; i < grid.count(); ++i) {
    const Rect small = grid.tile(i);
    EXPECT_EQ(large.tile(i), (Rect{3 * small.y, 3 * small.x, 3 * small.height, 3 * small.width}));
  }
}

TEST(TileGrid, RefusesAnOverlapOfAWholeTile) {
  EXPECT_THROW(TileGrid(50, 50, 16, 16), Error);
  EXPECT_THROW(TileGrid(0, 50, 16, 4), Error);
}

}  // namespace
}  // namespace unmar
