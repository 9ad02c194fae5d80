#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/overloaded.h"
#include "unmar/graph/graph.h"

namespace unmar {
namespace {

using Sources = std::span<const Shape>;

void require(bool ok, const std::string& where, const std::string& what) {
  if (!ok) fail(ErrorCode::bad_argument, "{}: {}", where, what);
}

void require_sources(Sources src, std::size_t count, const std::string& where) {
  require(src.size() == count, where, fmt::format("takes {} sources, got {}", count, src.size()));
}

void require_equal(Sources src, const std::string& where) {
  require_sources(src, 2, where);
  require(src[0] == src[1], where,
          fmt::format("sources differ in shape: {} and {}", to_string(src[0]), to_string(src[1])));
}

Shape infer_conv(const Conv2d& op, const Shape& src, const std::string& where) {
  require(op.out_c >= 1, where, fmt::format("out_c must be at least 1, got {}", op.out_c));
  require(op.kernel >= 1 && (op.kernel % 2 == 1 || op.pad_end), where,
          fmt::format("kernel must be odd unless pad_end, got {}", op.kernel));
  require(op.stride >= 1, where, fmt::format("stride must be at least 1, got {}", op.stride));
  require(op.shuffle >= 1 && op.out_c % (op.shuffle * op.shuffle) == 0, where,
          fmt::format("out_c {} is not a multiple of shuffle {} squared", op.out_c, op.shuffle));
  require(!op.pad_end || (op.kernel >= op.stride && src.h >= op.stride && src.w >= op.stride),
          where,
          fmt::format("pad_end needs a kernel and a source of stride {} at least, got {} and {}x{}",
                      op.stride, op.kernel, src.w, src.h));
  const int total = pad_total(op), pad = total - pad_begin(op);
  require(op.border != Border::reflect || (src.h > pad && src.w > pad), where,
          fmt::format("reflection by {} needs a source larger than that, got {}x{}", pad, src.w,
                      src.h));
  return {src.n, op.out_c, (src.h + total - op.kernel) / op.stride + 1,
          (src.w + total - op.kernel) / op.stride + 1};
}

Shape infer_max_pool(const MaxPool& op, const Shape& src, const std::string& where) {
  require(op.factor >= 1, where, fmt::format("factor must be at least 1, got {}", op.factor));
  require(src.h >= op.factor && src.w >= op.factor, where,
          fmt::format("cannot reduce {}x{} by {}", src.w, src.h, op.factor));
  return {src.n, src.c, src.h / op.factor, src.w / op.factor};
}

Shape infer_conv_transpose(const ConvTranspose2d& op, const Shape& src, const std::string& where) {
  require(op.out_c >= 1, where, fmt::format("out_c must be at least 1, got {}", op.out_c));
  require(op.stride >= 1, where, fmt::format("stride must be at least 1, got {}", op.stride));
  require(op.kernel >= 0, where, fmt::format("kernel must be at least 1, got {}", op.kernel));
  const int kernel = kernel_of(op);
  require(op.padding >= 0 && op.padding < kernel, where,
          fmt::format("padding must be from 0 to below the kernel {}, got {}", kernel, op.padding));
  const Shape dst{src.n, op.out_c, (src.h - 1) * op.stride - 2 * op.padding + kernel,
                  (src.w - 1) * op.stride - 2 * op.padding + kernel};
  require(dst.h >= 1 && dst.w >= 1, where,
          fmt::format("padding {} leaves nothing of {}x{} with kernel {}, stride {}", op.padding,
                      src.w, src.h, kernel, op.stride));
  return dst;
}

Shape infer_shuffle(const PixelShuffle& op, const Shape& src, const std::string& where) {
  require(op.factor >= 1, where, fmt::format("factor must be at least 1, got {}", op.factor));
  const int block = op.factor * op.factor;
  require(src.c % block == 0, where,
          fmt::format("{} channels are not a multiple of factor {} squared", src.c, op.factor));
  return {src.n, src.c / block, src.h * op.factor, src.w * op.factor};
}

/// Engines read memory as the map says.
void require_map(const LinearMap* map, int size, const char* side, const std::string& where) {
  require(map != nullptr && map->dst_size() >= 1, where, fmt::format("has no map of its {}", side));
  require(map->src_size == size, where,
          fmt::format("maps {} {}, its source has {}", map->src_size, side, size));
  const bool whole = map->begin.front() == 0 && std::ranges::is_sorted(map->begin) &&
                     static_cast<std::size_t>(map->begin.back()) == map->index.size() &&
                     map->index.size() == map->weight.size();
  require(whole, where, fmt::format("the map of its {} is not a sparse matrix", side));
  for (const int i : map->index)
    require(i >= 0 && i < size, where, fmt::format("maps {} {} of {}", side, i, size));
  for (const float w : map->weight)
    require(std::isfinite(w), where, fmt::format("weights must be finite, got {}", w));
}

Shape infer_linear(const Linear& op, const Shape& src, const std::string& where) {
  require_map(op.rows.get(), src.h, "rows", where);
  require_map(op.cols.get(), src.w, "columns", where);
  return {src.n, src.c, op.rows->dst_size(), op.cols->dst_size()};
}

Shape infer_filter(const Filter& op, const Shape& src, const std::string& where) {
  require(op.taps != nullptr && !op.taps->empty(), where, "has no taps");
  const Shape& taps = op.taps->shape();
  require(taps.n == 1 && taps.c == 1, where,
          fmt::format("takes taps [1,1,h,w], got {}", to_string(taps)));
  for (const float tap : op.taps->values())
    require(std::isfinite(tap), where, fmt::format("taps must be finite, got {}", tap));
  require(op.border != Border::reflect || (src.h > taps.h / 2 && src.w > taps.w / 2), where,
          fmt::format("reflection under {}x{} taps needs a source larger than half of them, got "
                      "{}x{}",
                      taps.w, taps.h, src.w, src.h));
  return src;
}

Shape infer_norm(const Norm& op, const Shape& src, const std::string& where) {
  require(op.kind != NormKind::group || (op.groups >= 1 && src.c % op.groups == 0), where,
          fmt::format("{} channels cannot be split into {} equal groups", src.c, op.groups));
  const bool own = op.statistics == NormStatistics::own;
  require(own || op.kind == NormKind::batch, where, "only a batch norm has running statistics");
  require(op.parts == 1 || (own && op.kind == NormKind::batch), where,
          "only a batch norm with its own statistics has parts");
  require(op.parts >= 1 && src.n % op.parts == 0, where,
          fmt::format("a batch of {} cannot be split into {} equal parts", src.n, op.parts));
  if (op.statistics == NormStatistics::tracked) {
    require(op.momentum > 0.f && op.momentum <= 1.f, where,
            fmt::format("momentum must be above 0 and at most 1, got {}", op.momentum));
    require(src.count() > static_cast<std::size_t>(src.c), where,
            "one value for each channel has no variance to track");
  }
  return src;
}

Shape infer_concat(Sources src, const std::string& where) {
  require(!src.empty(), where, "takes at least one source");
  Shape dst = src[0];
  dst.c = 0;
  for (const Shape& s : src) {
    require(s.n == dst.n, where, fmt::format("batch sizes differ: {} and {}", dst.n, s.n));
    dst.c += s.c;
    dst.h = std::min(dst.h, s.h);
    dst.w = std::min(dst.w, s.w);
  }
  return dst;
}

Shape infer_add(Sources src, const std::string& where) {
  require_sources(src, 2, where);
  Shape b = src[1];
  if (b.h == 1 && b.w == 1) b.h = src[0].h, b.w = src[0].w;
  require(src[0] == b, where,
          fmt::format("second source must have the first's shape or one pixel: {} and {}",
                      to_string(src[0]), to_string(src[1])));
  return src[0];
}

Shape infer_time_embedding(const TimeEmbedding& op, const Shape& src, const std::string& where) {
  require(src == Shape{src.n, 1, 1, 1}, where,
          fmt::format("takes times [n,1,1,1], got {}", to_string(src)));
  require(op.channels >= 2 && op.channels % 2 == 0, where,
          fmt::format("channels must be even and at least 2, got {}", op.channels));
  require(op.freq_shift < static_cast<float>(op.channels / 2), where,
          fmt::format("freq_shift must be below channels / 2 = {}, got {}", op.channels / 2,
                      op.freq_shift));
  return {src.n, op.channels, 1, 1};
}

Shape infer_attention(const Attention& op, Sources src, const std::string& where) {
  require_sources(src, 3, where);
  require(src[0] == src[1] && src[0] == src[2], where,
          fmt::format("sources differ in shape: {}, {} and {}", to_string(src[0]),
                      to_string(src[1]), to_string(src[2])));
  require(op.heads >= 1 && src[0].c % op.heads == 0, where,
          fmt::format("{} channels cannot be split into {} equal heads", src[0].c, op.heads));
  return src[0];
}

}  // namespace

Shape infer_shape(const Op& op, Sources src, const std::string& where) {
  const auto one = [&]() -> const Shape& {
    require_sources(src, 1, where);
    return src[0];
  };
  return std::visit(
      Overloaded{
          [&](const Input& o) {
            require_sources(src, 0, where);
            return o.shape;
          },
          [&](const Constant& o) {
            require_sources(src, 0, where);
            require(o.value != nullptr && !o.value->empty(), where, "has no value");
            return o.value->shape();
          },
          [&](const Learned& o) {
            require_sources(src, 0, where);
            require(o.start != nullptr && !o.start->empty(), where, "has no value");
            return o.start->shape();
          },
          [&](const Jitter&) { return one(); },
          [&](const Dropout& o) {
            require(o.rate >= 0.f && o.rate < 1.f, where,
                    fmt::format("rate must be from 0 to below 1, got {}", o.rate));
            return one();
          },
          [&](const Conv2d& o) { return infer_conv(o, one(), where); },
          [&](const ConvTranspose2d& o) { return infer_conv_transpose(o, one(), where); },
          [&](const PixelShuffle& o) { return infer_shuffle(o, one(), where); },
          [&](const MaxPool& o) { return infer_max_pool(o, one(), where); },
          [&](const Linear& o) { return infer_linear(o, one(), where); },
          [&](const Filter& o) { return infer_filter(o, one(), where); },
          [&](const Concat&) { return infer_concat(src, where); },
          [&](const Norm& o) { return infer_norm(o, one(), where); },
          [&](const Activation&) { return one(); },
          [&](const Add&) { return infer_add(src, where); },
          [&](const TimeEmbedding& o) { return infer_time_embedding(o, one(), where); },
          [&](const Attention& o) { return infer_attention(o, src, where); },
          [&](const Multiply&) {
            require_sources(src, 2, where);
            Shape b = src[1];
            if (b.c == 1) b.c = src[0].c;
            require(
                src[0] == b, where,
                fmt::format("second source must have the first's shape or one channel: {} and {}",
                            to_string(src[0]), to_string(src[1])));
            return src[0];
          },
          [&](const Mse&) {
            require_equal(src, where);
            return Shape{};
          },
          [&](const L1&) {
            require_equal(src, where);
            return Shape{};
          },
          [&](const BceWithLogits&) {
            require_equal(src, where);
            return Shape{};
          },
          [&](const TotalVariation&) {
            const Shape& s = one();
            require(s.h >= 2 && s.w >= 2, where,
                    fmt::format("needs at least 2x2 pixels, got {}x{}", s.w, s.h));
            return Shape{};
          },
          [&](const WeightedSum& o) {
            require_sources(src, o.weights.size(), where);
            for (const Shape& s : src)
              require(s == Shape{}, where, fmt::format("takes scalars, got {}", to_string(s)));
            return Shape{};
          },
      },
      op);
}

}  // namespace unmar
