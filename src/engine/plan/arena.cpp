#include "engine/plan/arena.h"

#include <algorithm>
#include <numeric>

namespace unmar {
namespace {

constexpr std::size_t kAlign = 16;  // floats: one cache line

std::size_t aligned(std::size_t floats) { return (floats + kAlign - 1) / kAlign * kAlign; }

/// The smallest gap that fits, one block after the other.
Arena place_in_order(const std::vector<const Block*>& blocks,
                     const std::vector<std::size_t>& order) {
  Arena result;
  result.offsets.assign(blocks.size(), 0);
  std::vector<std::size_t> placed;
  for (const std::size_t index : order) {
    const Block& block = *blocks[index];
    if (!block.used()) continue;
    const std::size_t size = aligned(block.floats);

    std::vector<std::pair<std::size_t, std::size_t>> taken;  // [begin, end) used at the same time
    for (const std::size_t other : placed)
      if (block.overlaps(*blocks[other]))
        taken.emplace_back(result.offsets[other],
                           result.offsets[other] + aligned(blocks[other]->floats));
    std::sort(taken.begin(), taken.end());

    std::size_t best = 0, best_gap = 0, cursor = 0;
    bool found = false;
    for (const auto& [begin, end] : taken) {
      const std::size_t gap = begin > cursor ? begin - cursor : 0;
      if (gap >= size && (!found || gap < best_gap)) {
        best = cursor;
        best_gap = gap;
        found = true;
      }
      cursor = std::max(cursor, end);
    }
    result.offsets[index] = found ? best : cursor;
    result.floats = std::max(result.floats, result.offsets[index] + size);
    placed.push_back(index);
  }
  return result;
}

/// Floats alive at once at the worst time: no arena is smaller.
std::size_t most_alive(const std::vector<const Block*>& blocks) {
  int end = 0;
  for (const Block* b : blocks) end = std::max({end, b->span.last + 1, b->again.last + 1});
  std::vector<std::size_t> alive(static_cast<std::size_t>(end), 0);
  for (const Block* b : blocks)
    for (int t = 0; t < end; ++t)
      if (b->alive(t)) alive[static_cast<std::size_t>(t)] += aligned(b->floats);
  return alive.empty() ? 0 : *std::max_element(alive.begin(), alive.end());
}

}  // namespace

Arena place_in_arena(const std::vector<const Block*>& blocks) {
  const auto size = [&](std::size_t i) { return static_cast<double>(blocks[i]->floats); };
  const auto time = [&](std::size_t i) {
    const auto length = [](const Block::Span& s) { return s.first < 0 ? 0 : s.last - s.first + 1; };
    return static_cast<double>(length(blocks[i]->span) + length(blocks[i]->again));
  };
  const auto largest = [&](std::size_t i) { return size(i); };
  const auto longest = [&](std::size_t i) { return time(i); };
  const auto most = [&](std::size_t i) { return size(i) * time(i); };
  const auto latest = [&](std::size_t i) {
    return std::max(blocks[i]->span.last, blocks[i]->again.last);
  };

  Arena best;
  std::vector<std::size_t> best_order;
  const auto attempt = [&](const std::vector<std::size_t>& order) {
    Arena planned = place_in_order(blocks, order);
    if (best_order.empty() || planned.floats < best.floats) {
      best = planned;
      best_order = order;
    }
    return planned;
  };
  const auto attempt_by = [&](const auto& key) {
    std::vector<std::size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return key(a) > key(b); });
    attempt(order);
  };
  attempt_by(largest);
  attempt_by(longest);
  attempt_by(most);
  attempt_by(latest);

  // What reaches the top found its gaps taken: it is placed earlier next time.
  constexpr int kAttempts = 40;
  const std::size_t bound = most_alive(blocks);
  std::vector<std::size_t> order = best_order;
  Arena planned = best;
  for (int i = 0; i < kAttempts && best.floats > bound; ++i) {
    const auto top = std::find_if(order.begin(), order.end(), [&](std::size_t b) {
      return blocks[b]->used() && planned.offsets[b] + aligned(blocks[b]->floats) == planned.floats;
    });
    if (top == order.begin() || top == order.end()) break;
    std::rotate(order.begin() + (top - order.begin()) / 2, top, top + 1);
    planned = attempt(order);
  }
  return best;
}

}  // namespace unmar
