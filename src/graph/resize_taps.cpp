#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "graph/cubic.h"
#include "unmar/graph/ops.h"

namespace unmar {
namespace {

using Row = std::vector<Tap>;

Row nearest(int i, int src_size, int dst_size) {
  return {{static_cast<int>(std::int64_t{i} * src_size / dst_size), 1.f}};
}

/// The mean of the source pixels that destination pixel i touches.
Row area(int i, int src_size, int dst_size) {
  const auto low = static_cast<int>(std::int64_t{i} * src_size / dst_size);
  const auto high = static_cast<int>(((std::int64_t{i} + 1) * src_size + dst_size - 1) / dst_size);
  Row row;
  for (int k = low; k < high; ++k) row.push_back({k, 1.f / static_cast<float>(high - low)});
  return row;
}

Row between_corners(int i, int src_size, int dst_size) {
  const double at = dst_size > 1 ? static_cast<double>(i) * (src_size - 1) / (dst_size - 1) : 0.0;
  const int low = std::min(static_cast<int>(at), src_size - 1);
  const auto t = static_cast<float>(at - low);
  if (t == 0.f || low + 1 == src_size) return {{low, 1.f}};
  return {{low, 1.f - t}, {low + 1, t}};
}

/// `support`: half-width of the kernel at ratio 1, in source pixels.
Row filtered(int i, int src_size, int dst_size, double support, double (*kernel)(double)) {
  const double ratio = static_cast<double>(src_size) / dst_size;
  const double widen = std::max(ratio, 1.0);
  const double centre = (i + 0.5) * ratio - 0.5;
  const int low = std::max(0, static_cast<int>(std::floor(centre - support * widen)) + 1);
  const int high =
      std::min(src_size - 1, static_cast<int>(std::ceil(centre + support * widen)) - 1);
  double sum = 0;
  for (int k = low; k <= high; ++k) sum += kernel((k - centre) / widen);
  Row row;
  for (int k = low; k <= high; ++k) {
    const auto weight = static_cast<float>(kernel((k - centre) / widen) / sum);
    if (weight != 0.f) row.push_back({k, weight});
  }
  return row;
}

}  // namespace

Resize enlarged(const Shape& src, int factor, ResizeKind kind, bool align_corners) {
  return {kind, src.h * factor, src.w * factor, align_corners};
}

std::vector<std::vector<Tap>> resize_taps(const Resize& op, int src_size, int dst_size) {
  std::vector<Row> rows;
  for (int i = 0; i < dst_size; ++i) {
    switch (op.kind) {
      case ResizeKind::nearest:
        rows.push_back(nearest(i, src_size, dst_size));
        break;
      case ResizeKind::area:
        rows.push_back(area(i, src_size, dst_size));
        break;
      case ResizeKind::bilinear:
        rows.push_back(op.align_corners ? between_corners(i, src_size, dst_size)
                                        : filtered(i, src_size, dst_size, 1, [](double x) {
                                            return std::max(0.0, 1 - std::abs(x));
                                          }));
        break;
      case ResizeKind::bicubic:
        rows.push_back(filtered(i, src_size, dst_size, 2, cubic));
        break;
    }
  }
  return rows;
}

}  // namespace unmar
