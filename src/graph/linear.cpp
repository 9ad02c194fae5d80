#include "unmar/graph/linear.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/fail.h"
#include "graph/reduce_taps.h"

namespace unmar {
namespace {

Linear from_maps(LinearMap rows, LinearMap cols, std::string name) {
  return {std::make_shared<const LinearMap>(std::move(rows)),
          std::make_shared<const LinearMap>(std::move(cols)), std::move(name)};
}

void require_factor(const char* where, const Shape& src, int factor) {
  if (factor < 1)
    fail(ErrorCode::bad_argument, "{}: factor must be at least 1, got {}", where, factor);
  if (src.h < factor || src.w < factor)
    fail(ErrorCode::bad_argument, "{}: cannot reduce {}x{} by {}", where, src.w, src.h, factor);
}

LinearMap reduce_map(const ReduceTaps& taps, int factor, int size) {
  LinearMap map{size, {0}, {}, {}};
  for (int i = 0; i < size / factor; ++i) {
    for (std::size_t k = 0; k < taps.taps.size(); ++k)
      map.add(std::clamp(i * factor + taps.first + static_cast<int>(k), 0, size - 1), taps.taps[k]);
    map.close();
  }
  return map;
}

LinearMap average_map(int factor, int size) {
  const std::vector<float> taps(static_cast<std::size_t>(factor), 1.f / static_cast<float>(factor));
  return reduce_map({0, taps}, factor, size);
}

const char* word(ResizeKind kind) {
  constexpr const char* kWords[] = {"nearest", "bilinear", "bicubic", "area"};
  return kWords[static_cast<int>(kind)];
}
const char* word(ReduceKernel kernel) {
  constexpr const char* kWords[] = {"lanczos2", "lanczos3", "bicubic", "box"};
  return kWords[static_cast<int>(kernel)];
}

}  // namespace

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

LinearMap crop_map(int src_size, int dst_size) {
  LinearMap map{src_size, {0}, {}, {}};
  for (int i = 0; i < dst_size; ++i) {
    map.add((src_size - dst_size) / 2 + i, 1.f);
    map.close();
  }
  return map;
}

Linear Linear::resize(const Shape& src, ResizeKind kind, int h, int w, bool align_corners) {
  if (h < 1 || w < 1) fail(ErrorCode::bad_argument, "resize: cannot resize to {}x{}", w, h);
  if (align_corners && kind != ResizeKind::bilinear)
    fail(ErrorCode::bad_argument, "resize: align_corners is for bilinear only");
  return from_maps(resize_map(kind, src.h, h, align_corners),
                   resize_map(kind, src.w, w, align_corners),
                   fmt::format("{}{}", word(kind), align_corners ? ", corners" : ""));
}

Linear Linear::enlarge(const Shape& src, int factor, ResizeKind kind, bool align_corners) {
  if (std::max(src.h, src.w) > std::numeric_limits<int>::max() / std::max(1, factor))
    fail(ErrorCode::bad_argument, "resize: {}x{} times {} is more than can be counted", src.w,
         src.h, factor);
  return resize(src, kind, src.h * factor, src.w * factor, align_corners);
}

Linear Linear::reduce(const Shape& src, ReduceKernel kernel, int factor) {
  require_factor("reduce", src, factor);
  const ReduceTaps taps = reduce_taps(kernel, factor);
  return from_maps(reduce_map(taps, factor, src.h), reduce_map(taps, factor, src.w),
                   fmt::format("{} / {}", word(kernel), factor));
}

Linear Linear::average_pool(const Shape& src, int factor) {
  require_factor("average_pool", src, factor);
  return from_maps(average_map(factor, src.h), average_map(factor, src.w),
                   fmt::format("average / {}", factor));
}

Linear Linear::center_crop(const Shape& src, int h, int w) {
  if (h < 1 || w < 1 || h > src.h || w > src.w)
    fail(ErrorCode::bad_argument, "center_crop: cannot crop {}x{} to {}x{}", src.w, src.h, w, h);
  return from_maps(crop_map(src.h, h), crop_map(src.w, w), "crop");
}

Linear Linear::pad(const Shape& src, int h, int w) {
  if (h < src.h || w < src.w)
    fail(ErrorCode::bad_argument, "pad: cannot pad {}x{} to {}x{}", src.w, src.h, w, h);
  return from_maps(transposed(crop_map(h, src.h)), transposed(crop_map(w, src.w)), "pad");
}

}  // namespace unmar
