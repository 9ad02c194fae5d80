#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {

void copy(Emitter& e, const Place& src, const GradPlace& to) {
  const Shape& s = src.shape;
  const bool wide = is_wide(src) && is_wide(to.place);
  e.launch<Kernel::copy>({lane_blocks(s, wide)}, {e.values(src), e.values(to.place), s.c,
                                                  all_pixels_of(s), wide, to.accumulate});
}

void sum_columns(Emitter& e, const Place& src, int groups, Buffer* parts, float* dst,
                 std::ptrdiff_t dst_ld, bool accumulate) {
  const Shape& s = src.shape;
  const unsigned pixels = pixels_of(s) * size(s.n) / size(groups);
  const Chunks chunks(pixels);
  e.launch<Kernel::column_sums>(
      {size(chunks.count), blocks(size(s.c), 32), size(groups)},
      {e.values(src), s.c, is_wide(src), pixels, chunks.length, chunks.count, e.at(parts)});
  e.launch<Kernel::column_finish>({size(s.c), size(groups)},
                                  {e.at(parts), s.c, chunks.count, dst, dst_ld, accumulate});
}

Buffer* column_parts(Lowering& l, const Shape& s) {
  // Groups are pictures or all together; either way no more parts than this.
  const Chunks one(pixels_of(s)), all(pixels_of(s) * size(s.n));
  return l.scratch(static_cast<std::size_t>(std::max(one.count * s.n, all.count)) *
                   static_cast<std::size_t>(s.c));
}

Folded fold_of(Emitter& e, const NormCells& norm) {
  if (!norm.scale) return {};
  const float slope = norm.act.kind == act_none ? 1.f : norm.act.slope;
  return {e.at(norm.scale), e.at(norm.shift), slope};
}

}  // namespace unmar::cuda
