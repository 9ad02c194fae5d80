#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "fit/problem_graph.h"
#include "unmar/base/random.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace {

/// Position of element i of n, from 0 to 1.
float position(int i, int n) {
  return n > 1 ? static_cast<float>(i) / static_cast<float>(n - 1) : 0.f;
}

void fill_meshgrid(Tensor& z) {
  const Shape& s = z.shape();
  for (int n = 0; n < s.n; ++n)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x) {
        z.at(n, 0, y, x) = position(x, s.w);
        z.at(n, 1, y, x) = position(y, s.h);
      }
}

/// Channels: for each frequency sin and cos along x, then along y.
void fill_fourier(Tensor& z) {
  constexpr double kHighest = 256;
  const Shape& s = z.shape();
  const int frequencies = s.c / 4;
  for (int k = 0; k < frequencies; ++k) {
    const double t = frequencies > 1 ? static_cast<double>(k) / (frequencies - 1) : 0.0;
    const double f = std::numbers::pi * std::pow(kHighest, t);
    for (int n = 0; n < s.n; ++n)
      for (int y = 0; y < s.h; ++y)
        for (int x = 0; x < s.w; ++x) {
          const double u = f * position(x, s.w), v = f * position(y, s.h);
          z.at(n, 4 * k, y, x) = static_cast<float>(std::sin(u));
          z.at(n, 4 * k + 1, y, x) = static_cast<float>(std::cos(u));
          z.at(n, 4 * k + 2, y, x) = static_cast<float>(std::sin(v));
          z.at(n, 4 * k + 3, y, x) = static_cast<float>(std::cos(v));
        }
  }
}

/// Which pixels of a side of `from` make each pixel of a side of `to`: averaged down, or mirrored
/// around the centre.
LinearMap side_map(int from, int to) {
  if (to < from) return resize_map(ResizeKind::area, from, to);
  LinearMap map{from, {0}, {}, {}};
  const int period = std::max(1, 2 * (from - 1));
  for (int i = 0; i < to; ++i) {
    const int at = ((i - (to - from) / 2) % period + period) % period;
    map.add(at < from ? at : period - at, 1.f);
    map.close();
  }
  return map;
}

Tensor fit_picture(const Tensor& picture, const Size& size) {
  const Shape& s = picture.shape();
  Tensor z({s.n, s.c, size.h, size.w});
  const LinearMap rows = side_map(s.h, size.h), cols = side_map(s.w, size.w);
  for (int n = 0; n < s.n; ++n)
    for (int c = 0; c < s.c; ++c)
      for (int y = 0; y < size.h; ++y)
        for (int x = 0; x < size.w; ++x) {
          float sum = 0;
          for (int v = rows.begin[y]; v < rows.begin[y + 1]; ++v)
            for (int h = cols.begin[x]; h < cols.begin[x + 1]; ++h)
              sum +=
                  rows.weight[v] * cols.weight[h] * picture.at(n, c, rows.index[v], cols.index[h]);
          z.at(n, c, y, x) = sum;
        }
  return z;
}

Tensor picture_input(const Shape& image, const Size& size, const Tensor& picture) {
  const Shape& s = picture.shape();
  if (picture.empty() || s.n != image.n || s.h != image.h || s.w != image.w)
    fail(ErrorCode::bad_argument,
         "problem: the picture given as input is {}, but {}x{} pixels are to be restored",
         picture.empty() ? "empty" : to_string(s), image.w, image.h);
  if (std::any_of(picture.values().begin(), picture.values().end(),
                  [](float v) { return !std::isfinite(v); }))
    fail(ErrorCode::bad_input,
         "problem: the picture given as input has values that are not finite");
  return fit_picture(picture, size);
}

int input_channels(const ProblemOptions& options) {
  if (options.input == InputKind::meshgrid) return 2;
  const bool fourier = options.input == InputKind::fourier;
  if (options.input_channels < 1 || (fourier && options.input_channels % 4 != 0))
    fail(ErrorCode::bad_argument, "problem: input_channels must be {}, got {}",
         fourier ? "a multiple of 4 for fourier" : "at least 1", options.input_channels);
  return options.input_channels;
}

Size input_size(const Shape& image, const ProblemOptions& options) {
  return options.own_network ? Size{image.h, image.w} : network_input_size(image, options.network);
}

bool is_picture(InputKind kind) {
  return kind == InputKind::observed || kind == InputKind::guide || kind == InputKind::filtered;
}

}  // namespace

Shape input_shape(const Shape& image, const ProblemOptions& options) {
  if (!options.own_input.empty()) return options.own_input.shape();
  const Size size = input_size(image, options);
  if (!is_picture(options.input)) return {image.n, input_channels(options), size.h, size.w};
  const int channels = options.picture.empty() ? image.c : options.picture.shape().c;
  return {image.n, channels, size.h, size.w};
}

Tensor make_input(const Shape& image, const ProblemOptions& options) {
  if (!options.own_input.empty()) return options.own_input;
  if (is_picture(options.input))
    return picture_input(image, input_size(image, options), options.picture);
  Tensor z(input_shape(image, options));
  const Random random(options.seed, "z");
  if (options.input == InputKind::uniform) random.uniform(z.values(), 0.f, 0.1f);
  if (options.input == InputKind::normal) random.normal(z.values(), 0.f, 0.1f);
  if (options.input == InputKind::meshgrid) fill_meshgrid(z);
  if (options.input == InputKind::fourier) fill_fourier(z);
  return z;
}

}  // namespace unmar
