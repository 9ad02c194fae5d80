#pragma once

#include "engine/cuda/kernels/lanes.h"

/// What products of a convolution take is made ready first: the norm and the border are worked out,
/// channels are filled up to whole groups of 16 bytes, values are rounded. So the products, where
/// the time goes, only copy and multiply.
namespace unmar::cuda {

/// What a factor is stored as. fp32 keeps all bits: the product splits them in two.
struct Fp32 {
  using Element = float;
  static constexpr int kGroup = 4;  ///< elements of 16 bytes
  static constexpr bool kSplit = true, kBf16 = false;
  using Stored = OnlyFp32;  ///< how values are, beside the factors
  UNMAR_DEVICE static void store(void* dst, unsigned long long four, Float4 v) {
    store4(static_cast<float*>(dst) + 4 * four, v);
  }
};
struct Tf32 {
  using Element = float;
  static constexpr int kGroup = 4;
  static constexpr bool kSplit = false, kBf16 = false;
  using Stored = OnlyFp32;
  UNMAR_DEVICE static void store(void* dst, unsigned long long four, Float4 v) {
    store4(static_cast<float*>(dst) + 4 * four,
           {to_tf32(v.x), to_tf32(v.y), to_tf32(v.z), to_tf32(v.w)});
  }
};
struct Bf16 {
  using Element = unsigned short;
  static constexpr int kGroup = 8;
  static constexpr bool kSplit = false, kBf16 = true;
  using Stored = EitherKind;
  UNMAR_DEVICE static void store(void* dst, unsigned long long four, Float4 v) {
    store2(static_cast<float*>(dst) + 2 * four,
           {float_of(to_bf16(v.x, v.y)), float_of(to_bf16(v.z, v.w))});
  }
};

/// What a thread makes ready: four channels of a pixel, from `source` on, or zeros.
struct PreparedFour {
  unsigned index;  ///< in fours of channels
  int c;
  unsigned cell;  ///< of the norm
  long long pixel;
  bool is_there, has_source;
  UNMAR_DEVICE explicit PreparedFour(const Prepare& a) : index(element()) {
    is_there = index < a.count;
    const unsigned fours = static_cast<unsigned>(a.dst_c) / 4, p = index / fours;
    c = static_cast<int>(index - p * fours) * 4;
    const PixelSpot to = spot_of(p, a.high, a.wide);
    const int y = source_index(to.y - a.top, a.h, a.reflect);
    const int x = source_index(to.x - a.left, a.w, a.reflect);
    pixel = (static_cast<long long>(to.n) * a.h + y) * a.w + x;
    cell = static_cast<unsigned>(to.n * a.c + c);
    has_source = y >= 0 && x >= 0 && c < a.c;
  }
};

template <class Type>
UNMAR_DEVICE void prepare(const Prepare& a) {
  const PreparedFour four(a);
  if (!four.is_there) return;
  Float4 v{0.f, 0.f, 0.f, 0.f};
  if (four.has_source) {
    const int valid = a.c - four.c;
    const FoldedLanes fold(a.fold, four.cell, valid, a.c % 4 == 0);
    v = fold(
        read_some<typename Type::Stored>(a.src, four.pixel * a.src.ld + four.c, valid, a.wide_src));
    if (valid < 4) v = {v.x, valid > 1 ? v.y : 0.f, valid > 2 ? v.z : 0.f, 0.f};
  }
  Type::store(a.dst, four.index, v);
}

template <class Type>
UNMAR_DEVICE void prepare_gradient(const PrepareGradient& a) {
  using Stored = typename Type::Stored;
  const PreparedFour four(a.gradient);
  if (!four.is_there) return;
  Float4 d{0.f, 0.f, 0.f, 0.f};
  if (four.has_source) {
    const Values& behind = a.gradient.src;
    const int wide = a.gradient.wide_src;
    d = gradient_in_front(a.norm, four.cell, 4,
                          read_some<Stored>(a.value, four.pixel * a.value.ld + four.c, 4, wide),
                          read_some<Stored>(behind, four.pixel * behind.ld + four.c, 4, wide));
  }
  Type::store(a.gradient.dst, four.index, d);
}

/// A thread for each group: which segment it is of is looked for.
template <class Type>
UNMAR_DEVICE void prepare_weights(const PrepareWeights& a) {
  const unsigned i = element();
  if (i >= a.count) return;
  int low = 0, high = a.segment_count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (a.segments[middle].first <= i)
      low = middle;
    else
      high = middle;
  }
  const WeightSegment& s = a.segments[low];
  const unsigned across = static_cast<unsigned>(s.column_groups), column = (i - s.first) / across;
  const int* group = a.groups + s.groups + 2 * ((i - s.first) - column * across);
  const int valid = column < static_cast<unsigned>(s.columns) ? group[1] : 0;
  const float* from = s.weight + group[0] + static_cast<int>(column) * s.column_step;
#pragma unroll
  for (int k = 0; k < Type::kGroup; k += 4) {
    const auto one = [&](int e) { return k + e < valid ? from[(k + e) * s.step] : 0.f; };
    Type::store(a.dst, (static_cast<unsigned long long>(i) * Type::kGroup + k) / 4,
                {one(0), one(1), one(2), one(3)});
  }
}

#define UNMAR_PREPARE(type, Type)                                                            \
  UNMAR_KERNEL(prepare_##type, Prepare, 256) { prepare<Type>(a); }                           \
  UNMAR_KERNEL(prepare_gradient_##type, PrepareGradient, 256) { prepare_gradient<Type>(a); } \
  UNMAR_KERNEL(prepare_weights_##type, PrepareWeights, 256) { prepare_weights<Type>(a); }

}  // namespace unmar::cuda
