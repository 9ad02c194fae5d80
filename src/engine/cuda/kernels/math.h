#pragma once

#include "engine/cuda/kernels/simt.h"

/// Elementary functions in plain arithmetic, as there is no device library: the same on every card
/// and, but for the rounding of multiply-add, in the tests.
namespace unmar::cuda {

UNMAR_DEVICE float float_of(unsigned bits) { return __builtin_bit_cast(float, bits); }
UNMAR_DEVICE unsigned bits_of(float v) { return __builtin_bit_cast(unsigned, v); }
UNMAR_DEVICE float absolute(float v) { return float_of(bits_of(v) & 0x7FFFFFFFu); }
UNMAR_DEVICE float square_root(float v) { return __builtin_sqrtf(v); }
UNMAR_DEVICE double square_root(double v) { return __builtin_sqrt(v); }
/// The whole number nearest to v, for |v| below 2^22.
UNMAR_DEVICE float nearest(float v) {
  const float shifted = v + 12582912.f;  // 1.5 * 2^23: no bits are left behind the point
  return shifted - 12582912.f;
}

/// e^x to 1 unit in the last place or so; NaN stays NaN.
UNMAR_DEVICE float exponential(float x) {
  if (x > 88.72f) return float_of(0x7F800000u);
  if (x < -103.f) return 0.f;
  const float k = nearest(x * 1.44269504f);
  float r = x - k * 0.693359375f;
  r = r + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float value = p * r * r + r + 1.f;
  if (!(x == x)) return x;
  const int power = static_cast<int>(k), half = power / 2;  // in two factors: no overflow between
  return value * float_of(static_cast<unsigned>(half + 127) << 23) *
         float_of(static_cast<unsigned>(power - half + 127) << 23);
}

/// The natural logarithm of a normal number above 0.
UNMAR_DEVICE float logarithm(float x) {
  const unsigned bits = bits_of(x);
  int power = static_cast<int>(bits >> 23) - 126;
  float m = float_of((bits & 0x007FFFFFu) | 0x3F000000u);  // [0.5, 1)
  if (m < 0.707106781f) {
    m = m + m;
    --power;
  }
  const float r = m - 1.f, z = r * r, e = static_cast<float>(power);
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  float y = p * r * z;
  y = y - 2.12194440e-4f * e - 0.5f * z;
  return r + y + 0.693359375f * e;
}

/// x^beta for x of 0 or more.
UNMAR_DEVICE float power(float x, float beta) {
  if (beta == 0.5f) return square_root(x);
  if (beta == 1.f) return x;
  if (x < 1.17549435e-38f) return beta > 0.f ? 0.f : beta == 0.f ? 1.f : float_of(0x7F800000u);
  return exponential(beta * logarithm(x));
}

/// Sine and cosine of an angle given in quarter turns, |r| of half a quarter at most, turned by k
/// quarters.
template <class Real>
UNMAR_DEVICE void quarter_turns(Real sine, Real cosine, int k, Real& s, Real& c) {
  const bool swapped = (k & 1) != 0;
  s = swapped ? cosine : sine;
  c = swapped ? sine : cosine;
  if ((k & 2) != 0) s = -s;
  if (((k + 1) & 2) != 0) c = -c;
}

/// Of `turns` whole turns, [0, 1) with 24 bits: the reduction is exact.
UNMAR_DEVICE void sine_cosine_of_turns(float turns, float& s, float& c) {
  const float quarters = 4.f * turns, k = nearest(quarters);
  const float x = (quarters - k) * 1.57079633f, z = x * x;
  const float sine =
      ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x;
  const float cosine =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z -
      0.5f * z + 1.f;
  quarter_turns(sine, cosine, static_cast<int>(k), s, c);
}

/// Of an angle of up to 1e6 or so, in double.
UNMAR_DEVICE void sine_cosine(double x, double& s, double& c) {
  const double quarters = x * 0.63661977236758134308;
  const double whole =
      static_cast<double>(static_cast<long long>(quarters < 0 ? quarters - 0.5 : quarters + 0.5));
  double r = x - whole * 1.57079632673412561417;
  r = r - whole * 6.07710050650619224932e-11;
  const double z = r * r;
  double p = 1.58969099521155010221e-10;
  p = p * z - 2.50507602534068634195e-08;
  p = p * z + 2.75573137070700676789e-06;
  p = p * z - 1.98412698298579493134e-04;
  p = p * z + 8.33333333332248946124e-03;
  p = p * z - 1.66666666666666324348e-01;
  const double sine = r + r * z * p;
  double q = -1.13596475577881948265e-11;
  q = q * z + 2.08757232129817482790e-09;
  q = q * z - 2.75573143513906633035e-07;
  q = q * z + 2.48015872894767294178e-05;
  q = q * z - 1.38888888888741095749e-03;
  q = q * z + 4.16666666666666019037e-02;
  const double cosine = 1.0 - 0.5 * z + z * z * q;
  quarter_turns(sine, cosine, static_cast<int>(static_cast<long long>(whole) & 3), s, c);
}

/// The normal distribution's cumulative function (Abramowitz and Stegun 7.1.26, 1.5e-7).
UNMAR_DEVICE float normal_cdf(float x) {
  const float a = absolute(x) * 0.707106781f;
  const float t = 1.f / (1.f + 0.3275911f * a);
  const float p =
      t * (0.254829592f +
           t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float tail = 0.5f * p * exponential(-a * a);
  return x < 0.f ? tail : 1.f - tail;
}

/// Philox4x32-10, word for word that of base/philox.h.
struct Words {
  unsigned w[4];
};
UNMAR_DEVICE Words philox(unsigned long long block, unsigned long long iteration,
                          unsigned long long key) {
  Words c{{static_cast<unsigned>(block), static_cast<unsigned>(block >> 32),
           static_cast<unsigned>(iteration), static_cast<unsigned>(iteration >> 32)}};
  unsigned k0 = static_cast<unsigned>(key), k1 = static_cast<unsigned>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const unsigned long long p0 = 0xD2511F53ull * c.w[0], p1 = 0xCD9E8D57ull * c.w[2];
    c = Words{{static_cast<unsigned>(p1 >> 32) ^ c.w[1] ^ k0, static_cast<unsigned>(p1),
               static_cast<unsigned>(p0 >> 32) ^ c.w[3] ^ k1, static_cast<unsigned>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}
/// [0, 1) with 24 bits.
UNMAR_DEVICE float to_unit(unsigned word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace unmar::cuda
