#pragma once

#include <cstddef>
#include <vector>

namespace unmar {

/// A piece of memory that the steps of a program share with others: how large it is, and when it
/// holds something.
struct Block {
  /// kept: from its first use to its last. recomputed: its value is worked out again for backward,
  /// so that it holds nothing between forward and backward. scratch: as recomputed; nothing in it
  /// outlives the pass of a step.
  enum class Life { kept, recomputed, scratch };

  /// Times of first and last use; -1: unused.
  struct Span {
    int first = -1, last = -1;
    void add(int time) {
      if (first < 0 || time < first) first = time;
      if (time > last) last = time;
    }
    bool contains(int time) const { return first >= 0 && first <= time && time <= last; }
    bool overlaps(const Span& o) const {
      return first >= 0 && o.first >= 0 && first <= o.last && o.first <= last;
    }
  };

  std::size_t floats = 0;
  Life life = Life::kept;
  Span span, again;  ///< again: of backward, if it does not last until then

  void use(int time, bool in_backward = false) {
    (life != Life::kept && in_backward ? again : span).add(time);
  }
  bool used() const { return span.first >= 0 || again.first >= 0; }
  bool alive(int time) const { return span.contains(time) || again.contains(time); }
  bool overlaps(const Block& o) const {
    return span.overlaps(o.span) || span.overlaps(o.again) || again.overlaps(o.span) ||
           again.overlaps(o.again);
  }
};

/// Places in one piece of memory, the arena.
struct Arena {
  std::size_t floats = 0;            ///< of all of it
  std::vector<std::size_t> offsets;  ///< one per block, in order; multiples of 16 floats
};
/// Gives every used block a place such that blocks whose lives overlap never share memory.
/// Tries best fit in four orders, then improves the best one; keeps the smallest arena.
Arena place_in_arena(const std::vector<const Block*>& blocks);

}  // namespace unmar
