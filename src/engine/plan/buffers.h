#pragma once

#include <cstddef>
#include <deque>

#include "engine/plan/arena.h"
#include "unmar/tensor/tensor.h"

namespace unmar {

/// A block whose place is known once all lives are, unless it lives elsewhere and has its address
/// from the start. The address is one of the device that the program runs on.
struct Buffer : Block {
  float* data = nullptr;
};

/// How values are stored.
enum class Element { fp32, bf16 };
constexpr std::size_t bytes_of(Element e) { return e == Element::bf16 ? 2 : 4; }

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
    buffer->life = Block::Life::scratch;
    return buffer;
  }
  /// A tensor of its own, dense.
  struct Place place(const Shape& shape, Element element = Element::fp32);
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
  std::ptrdiff_t offset = 0, ld = 0;  ///< in elements
  Element element = Element::fp32;

  std::size_t bytes() const { return shape.count() * bytes_of(element); }
  explicit operator bool() const { return buffer != nullptr; }
  View view() const { return {buffer->data + offset, shape.n, shape.h, shape.w, shape.c, ld}; }
};

inline Place Buffers::place(const Shape& shape, Element element) {
  const std::size_t bytes = shape.count() * bytes_of(element);
  return {make((bytes + sizeof(float) - 1) / sizeof(float)), shape, 0, shape.c, element};
}

}  // namespace unmar
