#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "graph/cubic.h"
#include "unmar/graph/linear.h"

namespace unmar {
namespace {

struct Tap {
  int index = 0;
  float weight = 0.f;
};
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

LinearMap resize_map(ResizeKind kind, int src_size, int dst_size, bool align_corners) {
  const auto row = [&](int i) -> Row {
    switch (kind) {
      case ResizeKind::nearest:
        return nearest(i, src_size, dst_size);
      case ResizeKind::area:
        return area(i, src_size, dst_size);
      case ResizeKind::bilinear:
        if (align_corners) return between_corners(i, src_size, dst_size);
        return filtered(i, src_size, dst_size, 1,
                        [](double x) { return std::max(0.0, 1 - std::abs(x)); });
      case ResizeKind::bicubic:
        return filtered(i, src_size, dst_size, 2, cubic);
    }
    fail(ErrorCode::bad_argument, "resize: unknown kind {}", static_cast<int>(kind));
  };
  LinearMap map{src_size, {0}, {}, {}};
  for (int i = 0; i < dst_size; ++i) {
    for (const Tap& tap : row(i)) map.add(tap.index, tap.weight);
    map.close();
  }
  return map;
}

}  // namespace unmar
