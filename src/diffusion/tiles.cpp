#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "unmar/diffusion.h"

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

Tensor run_tiled(const NoiseModel& model, int size, int overlap, const Tensor& x, int t) {
  const Shape& s = x.shape();
  if (s.h < size || s.w < size)
    fail(ErrorCode::bad_argument,
         "tiled: the model takes {}x{}, the picture is {}x{}; enlarge or pad it", size, size, s.w,
         s.h);
  const Side rows(s.h, size, overlap), columns(s.w, size, overlap);
  std::vector<double> sum(x.count());
  Tensor window({s.n, s.c, size, size});
  for (const int y0 : rows.starts)
    for (const int x0 : columns.starts) {
      for_rows(s, size, y0, x0, [&](std::size_t at, std::size_t in_window, int) {
        std::copy_n(x.data() + at, size, window.data() + in_window);
      });
      const Tensor output = model(window, t);
      if (output.shape() != window.shape())
        fail(ErrorCode::bad_argument, "tiled: the model made {} of {}", to_string(output.shape()),
             to_string(window.shape()));
      for_rows(s, size, y0, x0, [&](std::size_t at, std::size_t in_window, int y) {
        const double of_row = rows.ramp[static_cast<std::size_t>(y - y0)];
        for (std::size_t i = 0; i < columns.ramp.size(); ++i)
          sum[at + i] +=
              of_row * columns.ramp[i] * static_cast<double>(output.data()[in_window + i]);
      });
    }
  Tensor result(s);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const auto w = static_cast<std::size_t>(s.w), h = static_cast<std::size_t>(s.h);
    result.data()[i] =
        static_cast<float>(sum[i] / (rows.weight[i / w % h] * columns.weight[i % w]));
  }
  return result;
}

}  // namespace

NoiseModel tiled(NoiseModel model, int size, int overlap) {
  if (size < 1 || overlap < 0 || overlap >= size)
    fail(ErrorCode::bad_argument,
         "tiled: overlap must be 0 to size - 1, got {} of {}; a quarter of the size is usual",
         overlap, size);
  return [model = std::move(model), size, overlap](const Tensor& x, int t) {
    return run_tiled(model, size, overlap, x, t);
  };
}

}  // namespace unmar
