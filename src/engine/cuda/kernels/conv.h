#pragma once

#include "engine/cuda/kernels/operands.h"
#include "engine/cuda/kernels/product_sums.h"

/// Convolutions as matrix products on tensor cores, of factors that operands.h has made ready. The
/// matrices are never stored: a block gathers its pieces of them from the pictures.
///
///              rows of out      columns      summed over
///   forward    pixels of dst    out_c        taps x c
///   data       pixels of src    c            taps x out_c      (the gradient of the source)
///   weight     taps x c         out_c        pixels of dst     (the gradient of the weights)
///
/// Forward and data are one kernel: what differs is where a row begins, and tables of what the sum
/// runs over. At stride s the gradient of the source is s x s products: rows and columns in s
/// phases, each of which lies under its own taps.
///
/// A block makes 128 rows by 128 or, where there are few columns, 32; the last few beyond 128 may
/// be in a block of 136. While its four warps multiply one step of the sum, three more are on their
/// way to shared memory. With few blocks the sum is split among blocks, and sum_parts adds up the
/// parts in order.
namespace unmar::cuda {

/// The steps of the sum that a block has.
struct Steps {
  int begin, end;
  UNMAR_DEVICE Steps(int steps, int splits) {
    const auto at = [&](unsigned split) {
      return static_cast<int>(static_cast<long long>(steps) * split / splits);
    };
    begin = at(blockIdx.z);
    end = at(blockIdx.z + 1);
  }
};

/// acc += a b; fp32 as four products of what tf32 holds and what is left of it.
template <class Type, int M, int N>
UNMAR_DEVICE void multiply_as(float (&acc)[M][N][4], unsigned (&a)[M][4], unsigned (&b)[N][2]) {
  if (!Type::kSplit) return multiply<Type::kBf16>(acc, a, b);
  const auto split = [](unsigned& bits) {
    const float v = float_of(bits), rounded = to_tf32(v);
    bits = bits_of(rounded);
    return bits_of(to_tf32(v - rounded));
  };
  unsigned a_rest[M][4], b_rest[N][2];
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int e = 0; e < 4; ++e) a_rest[i][e] = split(a[i][e]);
#pragma unroll
  for (int j = 0; j < N; ++j)
#pragma unroll
    for (int e = 0; e < 2; ++e) b_rest[j][e] = split(b[j][e]);
  multiply<false>(acc, a_rest, b_rest);
  multiply<false>(acc, a_rest, b);
  multiply<false>(acc, a, b_rest);
  multiply<false>(acc, a, b);
}

/// What a warp's tiles take of half a step.
template <class Tiles>
struct Fragments {
  unsigned a[Tiles::kM][4], b[Tiles::kN][2], extra[1][2];
};
template <class Type, class Tiles>
UNMAR_DEVICE void multiply_fragments(const Tiles& tiles, WarpSums<Tiles>& sums,
                                     Fragments<Tiles>& f) {
  if (Tiles::kExtra) {
    unsigned a[2][4];
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int e = 0; e < 4; ++e) a[i][e] = tiles.half ? f.a[(2 + i) % Tiles::kM][e] : f.a[i][e];
    multiply_as<Type>(sums.extra, a, f.extra);
  }
  multiply_as<Type>(sums.tile, f.a, f.b);
}

/// Fragments of two tiles of b at once.
template <bool kTransposed>
UNMAR_DEVICE void load_two(unsigned (&left)[2], unsigned (&right)[2], SharedAddress row) {
  unsigned two[4];
  load_matrices<kTransposed>(two, row);
  left[0] = two[0], left[1] = two[1], right[0] = two[2], right[1] = two[3];
}

/// The pipeline of both kernels: load(step) starts copies to a stage, fetch(fragments, stage, half)
/// takes half of it to registers, where it is multiplied.
template <class Type, class Tiles, class Load, class Fetch>
UNMAR_DEVICE void run_steps(const Tiles& tiles, const Steps& steps, const Load& load,
                            const Fetch& fetch, WarpSums<Tiles>& sums) {
  int ahead = steps.begin;
#pragma unroll 1
  for (; ahead < steps.begin + kStages - 1; ++ahead) {
    if (ahead < steps.end) load(ahead);
    end_batch();
  }
#pragma unroll 1
  for (int step = steps.begin; step < steps.end; ++step, ++ahead) {
    wait_copies<kStages - 2>();
    __syncthreads();  // all have it, and are done with the stage that is loaded next
    Fragments<Tiles> first, second;
    fetch(first, step % kStages, 0);
    if (ahead < steps.end) load(ahead);
    end_batch();
    if (!Type::kSplit) fetch(second, step % kStages, 1);
    multiply_fragments<Type>(tiles, sums, first);
    if (Type::kSplit) fetch(second, step % kStages, 1);  // registers are short there
    multiply_fragments<Type>(tiles, sums, second);
  }
}

/// A piece of a step in shared memory has a line of 64 bytes for each row or column, four groups.
/// Their places in a line change with the line, so that neither copies nor the eight rows of a
/// matrix meet a bank twice.
UNMAR_DEVICE int group_place(int line, int group) {
  return line * 64 + (group ^ line / 2 % 4) * 16;
}

/// Rows are pixels.
template <class Type, int kColumns>
UNMAR_DEVICE void multiply_rows(const ConvProduct& a, char* shared) {
  using Element = typename Type::Element;
  using Tiles = WarpTiles<kColumns>;
  constexpr int kLine = 64, kStage = (kRows + kColumns) * kLine, kStep = 4 * Type::kGroup;
  static_assert(kStages * kStage <= rows_shared(kColumns));
  const int t = static_cast<int>(threadIdx.x), lane = t % 32, group = t % 4, line = t / 4;
  const int m0 = static_cast<int>(blockIdx.x) * kRows;
  const int n0 = a.first_column + static_cast<int>(blockIdx.y) * kColumns;

  const Element* from[4];  // of this thread's rows
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = m0 + line + 32 * i, last = a.out.rows - 1;
    const PixelSpot spot =
        spot_of(static_cast<unsigned>(row < last ? row : last), a.out.to.row_h, a.out.to.row_w);
    from[i] = static_cast<const Element*>(a.a) +
              (static_cast<unsigned>(spot.n) * a.image + static_cast<unsigned>(spot.y) * a.line +
               static_cast<unsigned>(spot.x) * a.pixel);
  }
  const long long depth = static_cast<long long>(a.steps) * kStep;
  const Element* weights =
      static_cast<const Element*>(a.b) + (n0 + line) * depth + group * Type::kGroup;
  const Steps steps(a.steps, a.out.splits);
  const int* offsets = a.offsets + group;
  int next = steps.begin < steps.end ? offsets[steps.begin * 4] : 0;  // read a step ahead
  const SharedAddress base = shared_address(shared);
  const SharedAddress own = base + group_place(line, group);
  const auto load = [&](int step) {
    const SharedAddress to = own + step % kStages * kStage;
    const int offset = next;
    if (step + 1 < steps.end) next = offsets[(step + 1) * 4];
#pragma unroll
    for (int i = 0; i < 4; ++i) copy16_again(to + (32 * i * kLine), from[i] + offset);
#pragma unroll
    for (int i = 0; i < kColumns / 32; ++i)
      copy16(to + ((kRows + 32 * i) * kLine), weights + 32 * i * depth + step * kStep);
    if (Tiles::kExtra && line < kColumns % 32)
      copy16(to + ((kRows + kColumns / 32 * 32) * kLine),
             weights + kColumns / 32 * 32 * depth + step * kStep);
  };

  const Tiles tiles(t / 32);
  WarpSums<Tiles> sums;
  const SharedAddress as = base + tiles.row * kLine;
  const SharedAddress bs = base + (kRows + tiles.column) * kLine;
  const SharedAddress extra = base + (kRows + kColumns / 32 * 32) * kLine;
  const auto fetch = [&](auto& fragments, int stage, int half) {
    const int a_place = group_place(lane % 16, half * 2 + lane / 16);
    const int b_place = group_place(lane % 8 + lane / 16 * 8, half * 2 + lane / 8 % 2);
    if (Tiles::kExtra) {
      unsigned both[4];  // halves
      load_matrices<false>(both, extra + (stage * kStage + group_place(lane % 8, lane / 8)));
      fragments.extra[0][0] = both[2 * half], fragments.extra[0][1] = both[2 * half + 1];
    }
#pragma unroll
    for (int i = 0; i < Tiles::kM; ++i)
      load_matrices<false>(fragments.a[i], as + (stage * kStage + a_place) + i * 16 * kLine);
#pragma unroll
    for (int j = 0; j < Tiles::kN; j += 2)
      load_two<false>(fragments.b[j], fragments.b[j + 1],
                      bs + (stage * kStage + b_place) + j * 8 * kLine);
  };
  run_steps<Type>(tiles, steps, load, fetch, sums);
  write_sums<typename Type::Stored, true>(a.out, tiles, sums, m0, n0, shared);
}

/// A pixel of the sum: moved on by a step at a time.
struct PixelCursor {
  int index, n, y, x;
  UNMAR_DEVICE void set(const WeightProduct& a, int first) {
    const PixelSpot spot = spot_of(static_cast<unsigned>(first), a.pixel_h, a.pixel_w);
    index = first, n = spot.n, y = spot.y, x = spot.x;
  }
  UNMAR_DEVICE void advance(const WeightProduct& a, int pixels) {
    index += pixels;
    x += pixels;
    while (x >= a.pixel_w) {
      x -= a.pixel_w;
      if (++y == a.pixel_h) {
        y = 0;
        ++n;
      }
    }
  }
  UNMAR_DEVICE unsigned offset(unsigned image, unsigned line, unsigned pixel) const {
    return static_cast<unsigned>(n) * image + static_cast<unsigned>(y) * line +
           static_cast<unsigned>(x) * pixel;
  }
};

/// Rows are taps x channels. A piece in shared memory has a line for each pixel of a step.
template <class Type, int kColumns>
UNMAR_DEVICE void multiply_pixels(const WeightProduct& a, char* shared) {
  using Element = typename Type::Element;
  using Tiles = WarpTiles<kColumns>;
  constexpr int kGroup = Type::kGroup, kStep = 4 * kGroup,
                kSize = static_cast<int>(sizeof(Element));
  constexpr int kLineA = (kRows + 8) * kSize, kLineB = (kColumns + 8) * kSize;
  constexpr int kPieceA = kStep * kLineA, kStage = kPieceA + kStep * kLineB;
  static_assert(kStages * kStage <= pixels_shared(kColumns));
  // Copies of 16 bytes: so many of a line, lines at a time, times.
  constexpr int kAcrossA = kRows / kGroup, kLinesA = 128 / kAcrossA, kTimesA = kStep / kLinesA;
  constexpr int kAcrossB = kColumns / kGroup, kLinesB = 128 / kAcrossB, kTimesB = kStep / kLinesB;
  const int t = static_cast<int>(threadIdx.x), lane = t % 32;
  const int m0 = static_cast<int>(blockIdx.x) * kRows;
  const int n0 = a.first_column + static_cast<int>(blockIdx.y) * kColumns;

  const int row = m0 + t % kAcrossA * kGroup, column = n0 + t % kAcrossB * kGroup;
  const int tap = row / a.a_channels, ky = tap / a.kernel;
  const Element* as = static_cast<const Element*>(a.a);
  const Element* bs = static_cast<const Element*>(a.b);
  // Rows and columns beyond the last are any: nothing is written of them.
  if (row < a.out.rows)
    as += static_cast<unsigned>(ky) * a.a_row +
          static_cast<unsigned>(tap - ky * a.kernel) * a.a_column +
          static_cast<unsigned>(row - tap * a.a_channels);
  if (column < a.b_channels) bs += column;

  const Steps steps((a.pixels + kStep - 1) / kStep, a.out.splits);
  // Of a wide block, a thread copies pieces of a and b of the same pixels.
  constexpr bool kShared = kAcrossA == kAcrossB;
  PixelCursor a_at[kTimesA], b_at[kShared ? 1 : kTimesB];
#pragma unroll
  for (int i = 0; i < kTimesA; ++i)
    a_at[i].set(a, steps.begin * kStep + t / kAcrossA + i * kLinesA);
#pragma unroll
  for (int i = 0; i < kTimesB && !kShared; ++i)
    b_at[i].set(a, steps.begin * kStep + t / kAcrossB + i * kLinesB);
  const SharedAddress base = shared_address(shared);
  const SharedAddress own_a = base + (t / kAcrossA * kLineA + t % kAcrossA * 16);
  const SharedAddress own_b = base + (kPieceA + t / kAcrossB * kLineB + t % kAcrossB * 16);
  const auto copy_a = [&](SharedAddress to, const PixelCursor& at) {
    const bool is_there = at.index < a.pixels;
    copy16(to, is_there ? as + at.offset(a.a_image, a.a_line, a.a_pixel) : as, is_there);
  };
  const auto copy_b = [&](SharedAddress to, const PixelCursor& at) {
    const bool is_there = at.index < a.pixels;
    copy16(to, is_there ? bs + at.offset(a.b_image, a.b_line, a.b_pixel) : bs, is_there);
  };
  const auto load = [&](int step) {
    const SharedAddress to_a = own_a + step % kStages * kStage;
    const SharedAddress to_b = own_b + step % kStages * kStage;
#pragma unroll
    for (int i = 0; i < kTimesA; ++i) {
      copy_a(to_a + (i * kLinesA * kLineA), a_at[i]);
      if (kShared) copy_b(to_b + (i * kLinesB * kLineB), a_at[i]);
      a_at[i].advance(a, kStep);
    }
#pragma unroll
    for (int i = 0; i < kTimesB && !kShared; ++i) {
      copy_b(to_b + (i * kLinesB * kLineB), b_at[i]);
      b_at[i].advance(a, kStep);
    }
  };

  const Tiles tiles(t / 32);
  WarpSums<Tiles> sums;
  // bf16: rows are turned on the way. tf32 has no such load: its fragments come word by word.
  const int a_line = Type::kBf16 ? lane % 8 + lane / 16 * 8 : lane % 4;
  const int a_row = tiles.row + (Type::kBf16 ? lane / 8 % 2 * 8 : lane / 4);
  const int b_line = lane % (Type::kBf16 ? 16 : 4);
  const int b_row = tiles.column + (Type::kBf16 ? lane / 16 * 8 : lane / 4);
  const SharedAddress first_a = base + (a_line * kLineA + a_row * kSize);
  const SharedAddress first_b = base + (kPieceA + b_line * kLineB + b_row * kSize);
  const auto fetch = [&](auto& fragments, int stage, int half) {
    const int from = half * 2 * kGroup;  // line
    const SharedAddress as = first_a + stage * kStage, bs = first_b + stage * kStage;
    if constexpr (Type::kBf16) {
#pragma unroll
      for (int i = 0; i < Tiles::kM; ++i)
        load_matrices<true>(fragments.a[i], as + (from * kLineA + i * 16 * kSize));
#pragma unroll
      for (int j = 0; j < Tiles::kN; j += 2)
        load_two<true>(fragments.b[j], fragments.b[j + 1], bs + (from * kLineB + j * 8 * kSize));
    } else {
#pragma unroll
      for (int i = 0; i < Tiles::kM; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          fragments.a[i][e] =
              load_word(as + ((from + e / 2 * 4) * kLineA + (i * 16 + e % 2 * 8) * kSize));
#pragma unroll
      for (int j = 0; j < Tiles::kN; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          fragments.b[j][e] = load_word(bs + ((from + e * 4) * kLineB + j * 8 * kSize));
    }
  };
  run_steps<Type>(tiles, steps, load, fetch, sums);
  write_sums<typename Type::Stored, false>(a.out, tiles, sums, m0, n0, shared);
}

/// For the modules of kernels, one for each precision.
#define UNMAR_CONV(type, Type, columns)                     \
  UNMAR_KERNEL(conv_##type##_##columns, ConvProduct, 128) { \
    UNMAR_SHARED_BYTES(shared);                             \
    multiply_rows<Type, columns>(a, shared);                \
  }
#define UNMAR_WEIGHT(type, Type, columns)                       \
  UNMAR_KERNEL(weight_##type##_##columns, WeightProduct, 128) { \
    UNMAR_SHARED_BYTES(shared);                                 \
    multiply_pixels<Type, columns>(a, shared);                  \
  }

}  // namespace unmar::cuda
