#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"

namespace unmar::patches {

/// What is looked for: square patches of `size` pixels; around every `step`-th place, and the last
/// one of each row and column, the `group` most similar of the places at most `radius` away.
struct GroupOptions {
  int size = 6, group = 64, radius = 18, step = 3;
};

/// Where the patches of a picture begin, and which of them belong together.
class Groups {
 public:
  /// For pictures of this size. A patch is at most as large as the picture, a group as the
  /// smallest window. Memory: 2 bytes for each patch of each group.
  Groups(int height, int width, const GroupOptions& options);

  /// Finds the groups by the squared distance of patches of `plane`, height x width pixels; of
  /// equally similar ones the first in reading order. The patch in the middle is always a member.
  /// Returns whether it came to its end; if it was cancelled, there are no groups.
  bool find(const float* plane, ThreadPool& pool, std::stop_token cancel = {});

  int size() const { return size_; }
  int count() const { return group_; }  ///< patches in a group
  int rows() const { return static_cast<int>(ys_.size()); }
  int columns() const { return static_cast<int>(xs_.size()); }
  int y(int row) const { return ys_[static_cast<std::size_t>(row)]; }
  int x(int column) const { return xs_[static_cast<std::size_t>(column)]; }
  int radius() const { return radius_; }
  int step() const { return step_; }

  /// Offsets of the members' first pixels in a plane, in reading order: count() numbers.
  void members(int row, int column, std::ptrdiff_t* offsets) const;

 private:
  struct Scratch;
  void find_segment(const float* plane, int row, int first, int last, Scratch& scratch);
  std::size_t index(int row, int column) const {
    return (static_cast<std::size_t>(row) * xs_.size() + static_cast<std::size_t>(column)) *
           static_cast<std::size_t>(group_);
  }

  int height_, width_, size_, group_, radius_, step_;
  std::vector<int> ys_, xs_;
  std::vector<std::uint16_t> members_;  ///< places within the window, in reading order
};

}  // namespace unmar::patches
