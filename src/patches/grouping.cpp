#include "patches/grouping.h"

#include <algorithm>
#include <bit>

#include "patches/kernels.h"

namespace unmar::patches {
namespace {

constexpr int kSegment =
    32;  ///< groups that are looked for together: their distances stay in cache

/// 0, step, 2 step ... and the last.
std::vector<int> places(int count, int step) {
  std::vector<int> list;
  for (int i = 0; i < count - 1; i += step) list.push_back(i);
  list.push_back(count - 1);
  return list;
}

}  // namespace

struct Groups::Scratch {
  std::vector<float> columns;        ///< squared differences, summed down a patch
  std::vector<std::uint64_t> found;  ///< of each group of the segment: distance, place in window
  std::vector<int> counts;           ///< of `found`
};

Groups::Groups(int height, int width, const GroupOptions& options)
    : height_(height),
      width_(width),
      size_(std::min({options.size, height, width})),
      radius_(options.radius),
      step_(std::min(options.step, size_)) {
  const int down = height - size_ + 1, across = width - size_ + 1;  // places
  group_ = std::min(options.group, std::min(radius_ + 1, down) * std::min(radius_ + 1, across));
  ys_ = places(down, step_);
  xs_ = places(across, step_);
  members_.resize(ys_.size() * xs_.size() * static_cast<std::size_t>(group_));
}

bool Groups::find(const float* plane, ThreadPool& pool, std::stop_token cancel) {
  const int segments = (columns() + kSegment - 1) / kSegment;
  std::vector<Scratch> scratch(static_cast<std::size_t>(pool.threads()));
  const int window = 2 * radius_ + 1;
  for (Scratch& s : scratch) {
    s.columns.resize(static_cast<std::size_t>(width_));
    s.found.resize(static_cast<std::size_t>(kSegment) * static_cast<std::size_t>(window * window));
    s.counts.resize(kSegment);
  }
  pool.run(rows() * segments, [&](int chunk, int thread) {
    if (cancel.stop_requested()) return;
    const int row = chunk / segments, first = chunk % segments * kSegment;
    find_segment(plane, row, first, std::min(first + kSegment, columns()),
                 scratch[static_cast<std::size_t>(thread)]);
  });
  return !cancel.stop_requested();
}

void Groups::find_segment(const float* plane, int row, int first, int last, Scratch& s) {
  const int window = 2 * radius_ + 1;
  const std::size_t candidates =
      static_cast<std::size_t>(window) * static_cast<std::size_t>(window);
  const int down = height_ - size_ + 1, across = width_ - size_ + 1;
  const int y0 = y(row);
  std::fill(s.counts.begin(), s.counts.end(), 0);
  for (int dy = -radius_; dy <= radius_; ++dy) {
    const int y1 = y0 + dy;
    if (y1 < 0 || y1 >= down) continue;
    for (int dx = -radius_; dx <= radius_; ++dx) {
      // The groups of the segment whose neighbour dx away is a place of the picture.
      int from = first, to = last;
      while (from < to && x(from) + dx < 0) ++from;
      while (to > from && x(to - 1) + dx >= across) --to;
      if (from == to) continue;
      const int begin = x(from), end = x(to - 1) + size_;
      column_distances(plane + static_cast<std::ptrdiff_t>(y0) * width_ + begin,
                       plane + static_cast<std::ptrdiff_t>(y1) * width_ + begin + dx, size_, width_,
                       end - begin, s.columns.data());
      const auto place = static_cast<std::uint64_t>((dy + radius_) * window + dx + radius_);
      const bool itself = dy == 0 && dx == 0;
      for (int c = from; c < to; ++c) {
        const float* column = s.columns.data() + (x(c) - begin);
        float distance = 0.f;
        for (int i = 0; i < size_; ++i) distance += column[i];
        // Floats of one sign are in the order of their bits. The patch itself comes before all.
        const std::uint64_t order =
            itself ? 0 : std::uint64_t{std::bit_cast<std::uint32_t>(distance)} + 1;
        const auto group = static_cast<std::size_t>(c - first);
        s.found[group * candidates + static_cast<std::size_t>(s.counts[group]++)] =
            order << 16 | place;
      }
    }
  }
  for (int c = first; c < last; ++c) {
    const auto group = static_cast<std::size_t>(c - first);
    const auto begin = s.found.begin() + static_cast<std::ptrdiff_t>(group * candidates);
    const auto end = begin + s.counts[group];
    if (begin + group_ < end) std::nth_element(begin, begin + group_ - 1, end);
    std::uint16_t* to = members_.data() + index(row, c);
    for (int i = 0; i < group_; ++i) to[i] = static_cast<std::uint16_t>(begin[i] & 0xFFFF);
    std::sort(to, to + group_);
  }
}

void Groups::members(int row, int column, std::ptrdiff_t* offsets) const {
  const int window = 2 * radius_ + 1;
  const std::uint16_t* from = members_.data() + index(row, column);
  for (int i = 0; i < group_; ++i) {
    const int dy = from[i] / window - radius_, dx = from[i] % window - radius_;
    offsets[i] = static_cast<std::ptrdiff_t>(y(row) + dy) * width_ + x(column) + dx;
  }
}

}  // namespace unmar::patches
