#pragma once

#include "engine/cuda/kernels/args.h"
#include "engine/cuda/kernels/math.h"

/// How kernels read and write Values. What lies in memory as bf16 is computed with as fp32; it is
/// rounded to the nearest, ties to even, when it is written.
namespace unmar::cuda {

struct Fp32Elements {
  float* data;
  /// Others of the same kind.
  UNMAR_DEVICE Fp32Elements like(const Values& v) const { return {static_cast<float*>(v.data)}; }
  /// What reading finds after writing v.
  UNMAR_DEVICE static float stored(float v) { return v; }
  UNMAR_DEVICE float one(long long i) const { return data[i]; }
  UNMAR_DEVICE Float4 four(long long i) const { return load4(data + i); }
  UNMAR_DEVICE void put(long long i, float v) const { data[i] = v; }
  UNMAR_DEVICE void put(long long i, Float4 v) const { store4(data + i, v); }
};
struct Bf16Elements {
  unsigned short* data;
  UNMAR_DEVICE Bf16Elements like(const Values& v) const {
    return {static_cast<unsigned short*>(v.data)};
  }
  UNMAR_DEVICE static float stored(float v) { return float_of(to_bf16(v, 0.f) << 16); }
  UNMAR_DEVICE float one(long long i) const { return float_of(unsigned{data[i]} << 16); }
  UNMAR_DEVICE Float4 four(long long i) const {
    const Float2 two = load2(reinterpret_cast<const float*>(data + i));
    const unsigned low = bits_of(two.x), high = bits_of(two.y);
    return {float_of(low << 16), float_of(low & 0xFFFF0000u), float_of(high << 16),
            float_of(high & 0xFFFF0000u)};
  }
  UNMAR_DEVICE void put(long long i, float v) const {
    data[i] = static_cast<unsigned short>(to_bf16(v, 0.f));
  }
  UNMAR_DEVICE void put(long long i, Float4 v) const {
    store2(reinterpret_cast<float*>(data + i),
           {float_of(to_bf16(v.x, v.y)), float_of(to_bf16(v.z, v.w))});
  }
};

/// What a kernel of Values is made for: fp32 alone, or either kind. f gets the elements; so a loop
/// inside of f is written for one kind.
struct OnlyFp32 {
  template <class F>
  UNMAR_DEVICE static void with(const Values& v, const F& f) {
    f(Fp32Elements{static_cast<float*>(v.data)});
  }
};
struct EitherKind {
  template <class F>
  UNMAR_DEVICE static void with(const Values& v, const F& f) {
    if (v.bf16)
      f(Bf16Elements{static_cast<unsigned short*>(v.data)});
    else
      f(Fp32Elements{static_cast<float*>(v.data)});
  }
};

/// Where element i lies.
template <class Stored>
UNMAR_DEVICE void* address_of(const Values& v, long long i) {
  void* address = nullptr;
  Stored::with(v, [&](const auto& e) { address = e.data + i; });
  return address;
}

template <class Stored>
UNMAR_DEVICE float read_one(const Values& v, long long i) {
  float value = 0.f;
  Stored::with(v, [&](const auto& e) { value = e.one(i); });
  return value;
}
template <class Stored>
UNMAR_DEVICE Float4 read_four(const Values& v, long long i) {
  Float4 four{0.f, 0.f, 0.f, 0.f};
  Stored::with(v, [&](const auto& e) { four = e.four(i); });
  return four;
}
UNMAR_DEVICE Float4 sum_of(Float4 a, Float4 b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}
/// Element i, or four from there on, become v, or get v added.
template <class Stored>
UNMAR_DEVICE void put(const Values& to, long long i, float v, int accumulate) {
  Stored::with(to, [&](const auto& e) { e.put(i, accumulate ? e.one(i) + v : v); });
}
template <class Stored>
UNMAR_DEVICE void put(const Values& to, long long i, Float4 v, int accumulate) {
  Stored::with(to, [&](const auto& e) { e.put(i, accumulate ? sum_of(e.four(i), v) : v); });
}

/// The body of a kernel of UNMAR_CUDA_VALUE_KERNELS; values.cpp and products_bf16.cpp make kernels
/// of it.
#define UNMAR_VALUE_KERNEL(name, Args) \
  template <class Stored>              \
  UNMAR_DEVICE void name##_of(const Args& a)

}  // namespace unmar::cuda
