#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "unmar/tensor.h"

namespace unmar::cpu {

/// Memory that steps share. Its place in the arena is known once all lifetimes are, unless it lives
/// elsewhere and has its address from the start.
struct Buffer {
  std::size_t floats = 0;
  float* data = nullptr;
  /// Its values are worked out again for backward: between forward and backward it holds nothing.
  bool recomputed = false;

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
  Span span, again;  ///< again: of backward, if recomputed
  void use(int time, bool in_backward = false) {
    (recomputed && in_backward ? again : span).add(time);
  }
  bool used() const { return span.first >= 0 || again.first >= 0; }
  bool alive(int time) const { return span.contains(time) || again.contains(time); }
  bool overlaps(const Buffer& o) const {
    return span.overlaps(o.span) || span.overlaps(o.again) || again.overlaps(o.span) ||
           again.overlaps(o.again);
  }
};

/// Owns the buffers of a program; addresses of Buffer objects stay valid.
class Buffers {
 public:
  Buffer* make(std::size_t floats) {
    Buffer& buffer = all_.emplace_back();
    buffer.floats = floats;
    return &buffer;
  }
  /// Nothing in it outlives the pass of a step.
  Buffer* make_scratch(std::size_t floats) {
    Buffer* buffer = make(floats);
    buffer->recomputed = true;
    return buffer;
  }
  /// A tensor of its own, dense.
  struct Place place(const Shape& shape);
  std::deque<Buffer>& all() { return all_; }

 private:
  std::deque<Buffer> all_;
};

/// Channels-last values: pixel p = (n * h + y) * w + x starts at data + p * ld; its c channels are
/// contiguous. ld > c where the channels are a slice of a wider tensor (concat).
struct View {
  float* data;
  int n, h, w, c;
  std::ptrdiff_t ld;

  int rows() const { return n * h; }
  std::ptrdiff_t pixels() const { return static_cast<std::ptrdiff_t>(n) * h * w; }
  bool dense() const { return ld == c; }
  float* pixel(std::ptrdiff_t p) const { return data + p * ld; }
  float* row(int r) const { return pixel(static_cast<std::ptrdiff_t>(r) * w); }
};

/// A View whose buffer may not have its address yet.
struct Place {
  Buffer* buffer = nullptr;
  Shape shape;
  std::ptrdiff_t offset = 0, ld = 0;

  explicit operator bool() const { return buffer != nullptr; }
  View view() const { return {buffer->data + offset, shape.n, shape.h, shape.w, shape.c, ld}; }
};

inline Place Buffers::place(const Shape& shape) { return {make(shape.count()), shape, 0, shape.c}; }

/// Gives every used buffer a place in one arena such that buffers whose lifetimes overlap never do.
/// Best fit, in several orders, the best of them improved, of which the smallest arena is taken. Offsets are multiples of 16
/// floats.
struct Planned {
  std::size_t floats = 0;
  std::vector<std::size_t> offsets;  ///< one per buffer, in order
};
Planned plan(const std::vector<const Buffer*>& buffers);

}  // namespace unmar::cpu
