#pragma once

#include "engine/cuda/kernels/act.h"

/// What passes over pictures share: one thread for each element, or for four channels of a pixel.
namespace unmar::cuda {

UNMAR_DEVICE unsigned element() { return blockIdx.x * 256u + threadIdx.x; }
/// Where element i = pixel * c + channel lies.
UNMAR_DEVICE unsigned long long place_of(unsigned i, int c, long long ld) {
  if (ld == c) return i;
  const unsigned p = i / static_cast<unsigned>(c);
  return static_cast<unsigned long long>(p) * static_cast<unsigned long long>(ld) +
         (i - p * static_cast<unsigned>(c));
}

/// Four neighbours in memory from `p`, or element i, on; those from `valid` on count as 0.
UNMAR_DEVICE Float4 read4(const float* p, int valid, int wide) {
  if (valid >= 4 && wide) return load4(p);
  return {valid > 0 ? p[0] : 0.f, valid > 1 ? p[1] : 0.f, valid > 2 ? p[2] : 0.f,
          valid > 3 ? p[3] : 0.f};
}
template <class Stored>
UNMAR_DEVICE Float4 read_some(const Values& v, long long i, int valid, int wide) {
  if (valid >= 4 && wide) return read_four<Stored>(v, i);
  Float4 some{0.f, 0.f, 0.f, 0.f};
  Stored::with(v, [&](const auto& e) {
    some = {valid > 0 ? e.one(i) : 0.f, valid > 1 ? e.one(i + 1) : 0.f,
            valid > 2 ? e.one(i + 2) : 0.f, valid > 3 ? e.one(i + 3) : 0.f};
  });
  return some;
}
/// A folded norm for the channels of a thread, read once.
struct FoldedLanes {
  bool is_there;
  Float4 scale, shift;
  float slope;
  UNMAR_DEVICE FoldedLanes(const Folded& f, unsigned cell, int valid, int wide)
      : is_there(f.scale != nullptr), slope(f.slope) {
    if (!is_there) return;
    scale = read4(f.scale + cell, valid, wide);
    shift = read4(f.shift + cell, valid, wide);
  }
  UNMAR_DEVICE Float4 operator()(Float4 v) const {
    if (!is_there) return v;
    const auto one = [&](float x, float by, float to) {
      const float y = x * by + to;
      return y > 0.f ? y : slope * y;
    };
    return {one(v.x, scale.x, shift.x), one(v.y, scale.y, shift.y), one(v.z, scale.z, shift.z),
            one(v.w, scale.w, shift.w)};
  }
};

struct PixelSpot {
  int n, y, x;
};
UNMAR_DEVICE PixelSpot spot_of(unsigned p, int h, int w) {
  const unsigned row = p / static_cast<unsigned>(w), n = row / static_cast<unsigned>(h);
  return {static_cast<int>(n), static_cast<int>(row - n * static_cast<unsigned>(h)),
          static_cast<int>(p - row * static_cast<unsigned>(w))};
}

/// Four channels, or one, of fp32 or of any elements.
UNMAR_DEVICE Float4 read_lanes(const float* p, int count) {
  return count == 4 ? load4(p) : Float4{*p, 0.f, 0.f, 0.f};
}
template <class Elements>
UNMAR_DEVICE Float4 lanes_of(const Elements& e, long long i, int count) {
  return count == 4 ? e.four(i) : Float4{e.one(i), 0.f, 0.f, 0.f};
}
template <class Stored>
UNMAR_DEVICE Float4 read_lanes(const Values& v, long long i, int count) {
  Float4 lanes{0.f, 0.f, 0.f, 0.f};
  Stored::with(v, [&](const auto& e) { lanes = lanes_of(e, i, count); });
  return lanes;
}

UNMAR_DEVICE float lane_of(Float4 v, unsigned k) {
  return k == 0 ? v.x : k == 1 ? v.y : k == 2 ? v.z : v.w;
}
/// f(k, v, w) of each of `count` lanes. The second is for what takes many instructions: they are
/// written out once, for a driver takes its time over them.
template <class F>
UNMAR_DEVICE Float4 each_lane(int count, Float4 v, Float4 w, const F& f) {
  if (count == 1) return {f(0, v.x, w.x), 0.f, 0.f, 0.f};
  return {f(0, v.x, w.x), f(1, v.y, w.y), f(2, v.z, w.z), f(3, v.w, w.w)};
}
template <class F>
UNMAR_DEVICE Float4 lane_by_lane(int count, Float4 v, Float4 w, const F& f) {
  Float4 result{0.f, 0.f, 0.f, 0.f};
#pragma unroll 1
  for (int k = 0; k < count; ++k) {
    const float one = f(static_cast<unsigned>(k), v.x, w.x);
    v = {v.y, v.z, v.w, 0.f};
    w = {w.y, w.z, w.w, 0.f};
    result = count == 1 ? Float4{one, 0.f, 0.f, 0.f} : Float4{result.y, result.z, result.w, one};
  }
  return result;
}

/// The gradient in front of a norm, of `count` channels from `cell` on; d: the one behind it.
UNMAR_DEVICE Float4 gradient_in_front(const NormGrad& n, unsigned cell, int count, Float4 v,
                                      Float4 d) {
  const auto cells = [&](const float* of) { return read_lanes(of + cell, count); };
  const Float4 scale = cells(n.norm.scale), shift = cells(n.norm.shift), mean = cells(n.cell_mean);
  const Float4 offset = cells(n.offset), slope = cells(n.slope);
  const auto before = [&](unsigned k, float x) {
    return x * lane_of(scale, k) + lane_of(shift, k);
  };
  Float4 g;
  if (is_straight(n.norm.act)) {
    const float below = slope_below(n.norm.act);
    g = each_lane(count, v, d, [&](unsigned k, float x, float d_out) {
      return d_out * (before(k, x) > 0.f ? 1.f : below);
    });
  } else {
    g = lane_by_lane(count, v, d, [&](unsigned k, float x, float d_out) {
      return d_out * slope_at(n.norm.act, before(k, x));
    });
  }
  return {scale.x * g.x - offset.x - slope.x * (v.x - mean.x),
          scale.y * g.y - offset.y - slope.y * (v.y - mean.y),
          scale.z * g.z - offset.z - slope.z * (v.z - mean.z),
          scale.w * g.w - offset.w - slope.w * (v.w - mean.w)};
}

/// An element of [n,h,w,c], channels innermost.
struct Where {
  unsigned n, y, x, channel;
};
UNMAR_DEVICE Where where(unsigned i, int h, int w, int c) {
  const unsigned channels = static_cast<unsigned>(c), width = static_cast<unsigned>(w);
  const unsigned p = i / channels, row = p / width;
  return {row / static_cast<unsigned>(h), row % static_cast<unsigned>(h), p - row * width,
          i - p * channels};
}

/// What a thread of a pass over channels has: four of a pixel where all its places allow it
/// (`wide`), else one.
struct Lanes {
  unsigned pixel;
  int channel, count;
  bool is_there;
  UNMAR_DEVICE Lanes(unsigned pixels, int c, int wide) {
    count = wide ? 4 : 1;
    const unsigned i = element(), across = static_cast<unsigned>(c / count);
    pixel = i / across;
    channel = static_cast<int>(i - pixel * across) * count;
    is_there = pixel < pixels;
  }
  UNMAR_DEVICE long long place(long long ld) const { return pixel * ld + channel; }
  template <class Stored>
  UNMAR_DEVICE Float4 read(const Values& v) const {
    return read_lanes<Stored>(v, place(v.ld), count);
  }
  template <class Stored>
  UNMAR_DEVICE void put(const Values& to, Float4 v, int accumulate) const {
    if (count == 1)
      cuda::put<Stored>(to, place(to.ld), v.x, accumulate);
    else
      cuda::put<Stored>(to, place(to.ld), v, accumulate);
  }
};

}  // namespace unmar::cuda
