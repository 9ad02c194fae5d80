#include "engine/onednn/plan.h"

#include <algorithm>
#include <numeric>

namespace unmar::cpu {
namespace {

constexpr std::size_t kAlign = 16;  // floats: one cache line

bool overlap_in_time(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

Planned plan(const std::vector<const Buffer*>& buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a]->floats > buffers[b]->floats;
  });

  Planned result;
  result.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> placed;
  for (const std::size_t index : order) {
    const Buffer& buffer = *buffers[index];
    if (buffer.first < 0) continue;
    const std::size_t size = (buffer.floats + kAlign - 1) / kAlign * kAlign;

    std::vector<std::pair<std::size_t, std::size_t>> taken;  // [begin, end) used at the same time
    for (const std::size_t other : placed)
      if (overlap_in_time(buffer, *buffers[other]))
        taken.emplace_back(
            result.offsets[other],
            result.offsets[other] + (buffers[other]->floats + kAlign - 1) / kAlign * kAlign);
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

}  // namespace unmar::cpu
