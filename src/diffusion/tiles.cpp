#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "unmar/diffusion/diffusion.h"
#include "unmar/tensor/tiles.h"

namespace unmar {
namespace {

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
    for (int row = 0; row < rows.count(); ++row)
      for (int column = 0; column < columns.count(); ++column)
        visit(rows.start(row), columns.start(column));
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
  TileAxis rows, columns;
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
  return windows.rows.count() * windows.columns.count();
}

}  // namespace unmar
