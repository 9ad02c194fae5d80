#include "engine/plan/linear_map.h"

#include <algorithm>

namespace unmar {

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

LinearMap resize_map(const Resize& op, int size, int dst_size) {
  LinearMap map{size, {0}, {}, {}};
  for (const auto& taps : resize_taps(op, size, dst_size)) {
    for (const Tap& tap : taps) map.add(tap.index, tap.weight);
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

LinearMap pad_map(int size, int padded) { return transposed(crop_map(padded, size)); }

}  // namespace unmar
