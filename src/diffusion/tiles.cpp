#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "unmar/diffusion/diffusion.h"

namespace unmar {
namespace {

/// The windows along one side of a picture.
struct Side {
  std::vector<int> starts;     ///< evenly spread, the first and the last at the edges
  std::vector<double> ramp;    ///< weight of each pixel of a window
  std::vector<double> weight;  ///< of each pixel of the picture, over all windows

  Side(int length, int size, int overlap) : weight(static_cast<std::size_t>(length)) {
    const int stride = size - overlap;
    const int last = (length - size + stride - 1) / stride;
    for (int i = 0; i <= last; ++i)
      starts.push_back(last == 0 ? 0 : static_cast<int>(std::int64_t{length - size} * i / last));
    for (int i = 0; i < size; ++i) ramp.push_back(std::min({i + 1, size - i, overlap + 1}));
    for (const int start : starts)
      for (int i = 0; i < size; ++i)
        weight[static_cast<std::size_t>(start + i)] += ramp[static_cast<std::size_t>(i)];
  }

  /// Of the window's pixel `i` in the picture's pixel `at`.
  double share(int i, int at) const {
    return ramp[static_cast<std::size_t>(i)] / weight[static_cast<std::size_t>(at)];
  }
};

/// Calls row(picture offset, window offset, y) for each row of the window, `size` values long.
template <class Row>
void for_rows(const Shape& s, int size, int y0, int x0, Row row) {
  const auto length = static_cast<std::size_t>(size);
  std::size_t in_window = 0;
  for (int plane = 0; plane < s.n * s.c; ++plane)
    for (int y = y0; y < y0 + size; ++y, in_window += length) {
      const auto above = static_cast<std::size_t>(plane) * static_cast<std::size_t>(s.h) +
                         static_cast<std::size_t>(y);
      row(above * static_cast<std::size_t>(s.w) + static_cast<std::size_t>(x0), in_window, y);
    }
}

/// The windows of a picture, and the share that each has in each pixel.
struct Windows {
  Windows(const Shape& picture, int size, int overlap)
      : shape(picture),
        size(size),
        rows(checked(picture, size).h, size, overlap),
        columns(picture.w, size, overlap) {}

  template <class Visit>  // visit(y0, x0)
  void each(Visit visit) const {
    for (const int y0 : rows.starts)
      for (const int x0 : columns.starts) visit(y0, x0);
  }

  void cut(const Tensor& picture, int y0, int x0, Tensor& window) const {
    for_rows(shape, size, y0, x0, [&](std::size_t at, std::size_t in_window, int) {
      std::copy_n(picture.data() + at, size, window.data() + in_window);
    });
  }

  /// add(picture offset, window offset, share): the shares of a pixel add up to 1.
  template <class Add>
  void blend(int y0, int x0, Add add) const {
    for_rows(shape, size, y0, x0, [&](std::size_t at, std::size_t in_window, int y) {
      const double of_row = rows.share(y - y0, y);
      for (int i = 0; i < size; ++i)
        add(at + static_cast<std::size_t>(i), in_window + static_cast<std::size_t>(i),
            of_row * columns.share(i, x0 + i));
    });
  }

  static const Shape& checked(const Shape& s, int size) {
    if (s.h < size || s.w < size)
      fail(ErrorCode::bad_argument,
           "tiled: the model takes {}x{}, the picture is {}x{}; enlarge or pad it", size, size, s.w,
           s.h);
    return s;
  }

  Shape shape;
  int size;
  Side rows, columns;
};

void check_window(const Tensor& output, const Tensor& window) {
  if (output.shape() != window.shape())
    fail(ErrorCode::bad_argument, "tiled: the model made {} of {}", to_string(output.shape()),
         to_string(window.shape()));
}

void check_overlap(int size, int overlap) {
  if (size < 1 || overlap < 0 || overlap >= size)
    fail(ErrorCode::bad_argument,
         "tiled: overlap must be 0 to size - 1, got {} of {}; a quarter of the size is usual",
         overlap, size);
}

Tensor rounded(const std::vector<double>& sum, const Shape& shape) {
  Tensor result(shape);
  for (std::size_t i = 0; i < sum.size(); ++i) result.data()[i] = static_cast<float>(sum[i]);
  return result;
}

Tensor run_tiled(const NoisePredictor& model, int size, int overlap, const Tensor& x, int t) {
  const Shape& s = x.shape();
  const Windows windows(s, size, overlap);
  std::vector<double> sum(x.count());
  Tensor window({s.n, s.c, size, size});
  windows.each([&](int y0, int x0) {
    windows.cut(x, y0, x0, window);
    const Tensor output = model(window, t);
    check_window(output, window);
    windows.blend(y0, x0, [&](std::size_t at, std::size_t in_window, double share) {
      sum[at] += share * static_cast<double>(output.data()[in_window]);
    });
  });
  return rounded(sum, s);
}

// The blend is linear in the windows' outputs: each window passes back its share of u.
Tensor run_tiled_gradient(const ModelGradient& gradient, int size, int overlap, const Tensor& x,
                          int t, const Tensor& u) {
  const Shape& s = x.shape();
  const Windows windows(s, size, overlap);
  check_window(u, x);
  std::vector<double> sum(x.count());
  Tensor window({s.n, s.c, size, size}), of_output(window.shape());
  windows.each([&](int y0, int x0) {
    windows.cut(x, y0, x0, window);
    windows.blend(y0, x0, [&](std::size_t at, std::size_t in_window, double share) {
      of_output.data()[in_window] = static_cast<float>(share * static_cast<double>(u.data()[at]));
    });
    const Tensor through = gradient(window, t, of_output);
    check_window(through, window);
    windows.blend(y0, x0, [&](std::size_t at, std::size_t in_window, double) {
      sum[at] += static_cast<double>(through.data()[in_window]);
    });
  });
  return rounded(sum, s);
}

}  // namespace

NoisePredictor tiled(NoisePredictor model, int size, int overlap) {
  check_overlap(size, overlap);
  return [model = std::move(model), size, overlap](const Tensor& x, int t) {
    return run_tiled(model, size, overlap, x, t);
  };
}

ModelGradient tiled_gradient(ModelGradient gradient, int size, int overlap) {
  check_overlap(size, overlap);
  return [gradient = std::move(gradient), size, overlap](const Tensor& x, int t, const Tensor& u) {
    return run_tiled_gradient(gradient, size, overlap, x, t, u);
  };
}

int tile_count(const Shape& picture, int size, int overlap) {
  check_overlap(size, overlap);
  const Windows windows(picture, size, overlap);
  return static_cast<int>(windows.rows.starts.size() * windows.columns.starts.size());
}

}  // namespace unmar
