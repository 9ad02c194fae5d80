#include "engine/plan/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>

namespace unmar {
namespace arena_test {

/// Blocks with random sizes and uses, and at which times each holds something, worked out here.
struct Lives {
  explicit Lives(unsigned seed) : random_(seed) {
    const int steps = between(1, 40);
    const int count = between(1, 80);
    times = 2 * steps + 1;
    for (int i = 0; i < count; ++i) add(steps);
  }

  std::vector<const Block*> pointers() {
    std::vector<const Block*> all;
    for (const Block& block : blocks) all.push_back(&block);
    return all;
  }

  std::deque<Block> blocks;
  std::vector<std::vector<bool>> alive;  ///< per block and time
  int times = 0;

 private:
  int between(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

  void add(int steps) {
    // Sizes near a cache line too, where rounding up counts.
    const int floats = between(0, 2) > 0 ? between(1, 5000) : between(1, 40);
    Block* block = &blocks.emplace_back();
    block->floats = static_cast<std::size_t>(floats);
    if (between(0, 2) == 0) block->life = Block::Life::recomputed;
    std::vector<bool> held(static_cast<std::size_t>(times), false);
    const auto hold = [&](int first, int last) {
      std::fill(held.begin() + first, held.begin() + last + 1, true);
    };
    int first = times, last = -1, first_again = times, last_again = -1;
    for (int uses = between(0, 4); uses > 0; --uses) {  // some are never used
      const int forward = between(0, steps - 1);
      block->use(forward);
      first = std::min(first, forward), last = std::max(last, forward);
    }
    for (int uses = between(0, 3); uses > 0; --uses) {
      const int backward = between(steps, 2 * steps - 1);
      block->use(backward, true);
      first_again = std::min(first_again, backward), last_again = std::max(last_again, backward);
    }
    if (block->life != Block::Life::kept) {
      if (last >= 0) hold(first, last);
      if (last_again >= 0) hold(first_again, last_again);
    } else if (last >= 0 || last_again >= 0) {
      hold(std::min(first, first_again), std::max(last, last_again));
    }
    alive.push_back(std::move(held));
  }

  std::mt19937 random_;
};

TEST(Arena, NeverGivesTwoLivingBlocksTheSameMemory) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Lives lives(seed);
    const auto blocks = lives.pointers();
    const Arena arena = place_in_arena(blocks);
    ASSERT_EQ(arena.offsets.size(), blocks.size());
    for (int time = 0; time < lives.times; ++time) {
      std::vector<std::size_t> at;  // by offset
      for (std::size_t i = 0; i < blocks.size(); ++i)
        if (lives.alive[i][static_cast<std::size_t>(time)]) at.push_back(i);
      std::sort(at.begin(), at.end(),
                [&](std::size_t a, std::size_t b) { return arena.offsets[a] < arena.offsets[b]; });
      for (std::size_t k = 0; k + 1 < at.size(); ++k)
        ASSERT_LE(arena.offsets[at[k]] + blocks[at[k]]->floats, arena.offsets[at[k + 1]])
            << "seed " << seed << ", time " << time;
    }
  }
}

TEST(Arena, StaysInItsArenaOnCacheLines) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Lives lives(seed);
    const auto blocks = lives.pointers();
    const Arena arena = place_in_arena(blocks);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!blocks[i]->used()) continue;
      ASSERT_EQ(arena.offsets[i] % 16, 0u) << "seed " << seed;
      ASSERT_LE(arena.offsets[i] + blocks[i]->floats, arena.floats) << "seed " << seed;
    }
  }
}

/// How much more than the most that is ever alive at once an arena may take.
constexpr double kMostWaste = 1.05;

TEST(Arena, TakesLittleMoreThanIsEverAliveAtOnce) {
  double all_taken = 0, all_alive = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Lives lives(seed);
    const auto blocks = lives.pointers();
    std::size_t most = 0;
    for (int time = 0; time < lives.times; ++time) {
      std::size_t sum = 0;
      for (std::size_t i = 0; i < blocks.size(); ++i)
        if (lives.alive[i][static_cast<std::size_t>(time)])
          sum += (blocks[i]->floats + 15) / 16 * 16;
      most = std::max(most, sum);
    }
    const std::size_t taken = place_in_arena(blocks).floats;
    ASSERT_GE(taken, most) << "seed " << seed;
    all_taken += static_cast<double>(taken);
    all_alive += static_cast<double>(most);
  }
  EXPECT_LE(all_taken, kMostWaste * all_alive);
}

TEST(Arena, GivesARecomputedBlocksMemoryToOthersInBetween) {
  for (const bool recomputed : {false, true}) {
    Block value, between;
    value.floats = between.floats = 1000;
    if (recomputed) value.life = Block::Life::recomputed;
    value.use(0);
    value.use(9, true);
    between.use(4);
    EXPECT_EQ(place_in_arena({&value, &between}).floats, recomputed ? 1008u : 2016u);
  }
}

}  // namespace arena_test
}  // namespace unmar
