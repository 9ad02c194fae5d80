#pragma once

namespace unmar::cpu {

/// Bounds of part `index` when `count` things are cut into `parts` nearly equal ones.
struct Range {
  int begin, end;
  int size() const { return end - begin; }
};
inline Range part(int count, int parts, int index) {
  const auto at = [&](int i) {
    return static_cast<int>(static_cast<long long>(count) * i / parts);
  };
  return {at(index), at(index + 1)};
}

}  // namespace unmar::cpu
