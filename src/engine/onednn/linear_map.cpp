#include "engine/onednn/linear_map.h"

#include <algorithm>
#include <cmath>

namespace unmar::cpu {

LinearMap transposed(const LinearMap& map) {
  std::vector<std::vector<std::pair<int, float>>> columns(static_cast<std::size_t>(map.src_size));
  for (int i = 0; i < map.dst_size(); ++i)
    for (int k = map.begin[static_cast<std::size_t>(i)];
         k < map.begin[static_cast<std::size_t>(i) + 1]; ++k)
      columns[static_cast<std::size_t>(map.index[static_cast<std::size_t>(k)])].emplace_back(
          i, map.weight[static_cast<std::size_t>(k)]);
  LinearMap result{map.dst_size(), {0}, {}, {}};
  for (const auto& column : columns) {
    for (const auto& [i, w] : column) result.add(i, w);
    result.close();
  }
  return result;
}

LinearMap upsample_map(const Upsample& op, int size) {
  const int dst_size = size * op.factor;
  LinearMap map{size, {0}, {}, {}};
  for (int i = 0; i < dst_size; ++i) {
    if (op.kind == UpsampleKind::nearest) {
      map.add(i / op.factor, 1.f);
    } else {
      const double at =
          op.align_corners
              ? (dst_size > 1 ? static_cast<double>(i) * (size - 1) / (dst_size - 1) : 0.0)
              : std::max(0.0, (i + 0.5) / op.factor - 0.5);
      const int low = std::min(static_cast<int>(at), size - 1);
      const int high = std::min(low + 1, size - 1);
      const auto w = static_cast<float>(at - low);
      map.add(low, 1.f - w);
      if (high != low && w > 0.f) map.add(high, w);
      if (high == low) map.weight.back() = 1.f;
    }
    map.close();
  }
  return map;
}

LinearMap reduce_map(const Reduce& op, int size) {
  const ReduceTaps taps = reduce_taps(op);
  LinearMap map{size, {0}, {}, {}};
  for (int i = 0; i < size / op.factor; ++i) {
    for (std::size_t k = 0; k < taps.taps.size(); ++k)
      map.add(std::clamp(i * op.factor + taps.first + static_cast<int>(k), 0, size - 1),
              taps.taps[k]);
    map.close();
  }
  return map;
}

LinearMap average_map(int factor, int size) {
  LinearMap map{size, {0}, {}, {}};
  for (int i = 0; i < size / factor; ++i) {
    for (int k = 0; k < factor; ++k) map.add(i * factor + k, 1.f / static_cast<float>(factor));
    map.close();
  }
  return map;
}

LinearMap crop_map(int size, int cropped) {
  LinearMap map{size, {0}, {}, {}};
  for (int i = 0; i < cropped; ++i) {
    map.add((size - cropped) / 2 + i, 1.f);
    map.close();
  }
  return map;
}

}  // namespace unmar::cpu
