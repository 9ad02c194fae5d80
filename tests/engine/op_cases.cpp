#include "engine/op_cases.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "unmar/base/random.h"

namespace unmar::test {
namespace {

// ---- values -----------------------------------------------------------------------------------

/// The distance that values keep from a kink at 0; the steps of the numeric gradients are smaller.
constexpr float kMargin = 0.2f;

Tensor uniform(const Shape& shape, const std::string& name, float low = -1.f, float high = 1.f) {
  Tensor t(shape);
  Random(1, name).uniform(t.values(), low, high);
  return t;
}

/// In [-1, 1] but not within kMargin of 0.
Tensor off_zero(const Shape& shape, const std::string& name) {
  Tensor t = uniform(shape, name);
  for (float& v : t.values())
    v = v < 0 ? -kMargin + v * (1 - kMargin) : kMargin + v * (1 - kMargin);
  return t;
}

/// Any two values of a factor x factor block differ by 0.6 at least, and the largest is in no
/// fixed corner.
Tensor distinct_in_blocks(const Shape& shape, const std::string& name, int factor) {
  Tensor t = uniform(shape, name, 0.f, 0.4f);
  const Tensor turn = uniform(shape, name + ".turn", 0.f, 1.f);
  const int levels = factor * factor;
  for (int n = 0; n < shape.n; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int y = 0; y < shape.h; ++y)
        for (int x = 0; x < shape.w; ++x) {
          const float first = turn.at(n, c, y / factor * factor, x / factor * factor);
          const int place = y % factor * factor + x % factor;
          t.at(n, c, y, x) +=
              static_cast<float>((place + static_cast<int>(first * 97.f)) % levels) - 1.f;
        }
  return t;
}

/// Neighbours in a row or column differ by 0.7 at least: far from the kink of total variation.
Tensor checkered(const Shape& shape, const std::string& name) {
  Tensor t = uniform(shape, name, 0.f, 0.3f);
  for (int n = 0; n < shape.n; ++n)
    for (int c = 0; c < shape.c; ++c)
      for (int y = 0; y < shape.h; ++y)
        for (int x = 0; x < shape.w; ++x) t.at(n, c, y, x) += static_cast<float>((x + y) % 2);
  return t;
}

Tensor mask(const Shape& shape) {
  Tensor t(shape);
  Random(1, "mask").bernoulli(t.values(), 0.7f);
  return t;
}

// ---- building ---------------------------------------------------------------------------------

NodeId input(CaseGraph& g, Tensor value, const std::string& name, bool needs_grad = true) {
  const NodeId id = g.graph.add(Input{value.shape(), needs_grad}, {}, name);
  g.inputs.emplace_back(id, std::move(value));
  return id;
}

NodeId input(CaseGraph& g, const Shape& shape, const std::string& name = "x") {
  return input(g, uniform(shape, name), name);
}

NodeId constant(CaseGraph& g, Tensor value, const std::string& name) {
  return g.graph.add(Constant{std::make_shared<const Tensor>(std::move(value))}, {}, name);
}

/// Keeps `out` and compares it with random values, so that its gradient is generic.
CaseGraph finish(CaseGraph g, NodeId out) {
  g.graph.keep(out);
  const NodeId target = constant(g, uniform(g.graph.shape(out), "target"), "target");
  const NodeId loss = g.graph.add(Mse{}, {out, target}, "loss");
  g.graph.keep(loss);
  g.graph.set_loss(loss);
  return g;
}

CaseGraph finish_scalar(CaseGraph g, NodeId loss) {
  g.graph.keep(loss);
  g.graph.set_loss(loss);
  return g;
}

/// The common case: one op on one input.
CaseGraph unary(Op op, Tensor value) {
  CaseGraph g;
  const NodeId x = input(g, std::move(value), "x");
  return finish(g, g.graph.add(std::move(op), {x}, "op"));
}

std::string size_name(const Shape& s) {
  return fmt::format("c{}.{}x{}{}", s.c, s.h, s.w, s.n > 1 ? fmt::format(".n{}", s.n) : "");
}

using Table = std::vector<OpCase>;

// ---- one function per op ----------------------------------------------------------------------

void add_conv(Table& table) {
  constexpr Border zero = Border::zero, reflect = Border::reflect;
  struct Row {
    int kernel, stride;
    Border border;
    bool bias;
    int out_c;
    Shape src;
    bool sparse = false;  ///< most taps never meet a pixel, or most pixels no tap
  };
  const Row rows[] = {
      {1, 1, zero, true, 3, {1, 1, 1, 1}},
      {1, 1, zero, true, 24, {1, 128, 7, 5}},
      {1, 1, zero, false, 3, {1, 13, 7, 5}},
      {1, 1, reflect, true, 24, {2, 3, 7, 5}},
      {1, 2, zero, true, 24, {1, 13, 7, 5}, true},
      {1, 2, reflect, true, 13, {1, 3, 33, 64}, true},
      {3, 1, zero, true, 3, {1, 1, 1, 1}, true},
      {3, 1, zero, true, 13, {1, 3, 33, 64}},
      {3, 1, zero, false, 24, {1, 24, 7, 5}},
      {3, 1, zero, true, 128, {1, 128, 7, 5}},
      {3, 1, zero, true, 3, {2, 24, 7, 5}},
      {3, 1, reflect, true, 1, {1, 1, 7, 5}},
      {3, 1, reflect, true, 24, {1, 3, 33, 64}},
      {3, 1, reflect, true, 3, {1, 13, 33, 64}},
      {3, 1, reflect, false, 13, {2, 13, 7, 5}},
      {3, 1, reflect, true, 24, {1, 128, 7, 5}},
      {3, 1, reflect, true, 13, {1, 132, 7, 5}},
      {3, 2, reflect, true, 136, {1, 129, 7, 5}},
      {1, 1, zero, true, 132, {2, 24, 7, 5}},
      {3, 1, reflect, true, 3, {1, 24, 2, 2}},
      {3, 2, zero, true, 24, {1, 3, 33, 64}},
      {3, 2, zero, true, 13, {2, 24, 7, 5}},
      {3, 2, zero, false, 3, {1, 13, 2, 1}, true},
      {3, 2, reflect, true, 13, {1, 13, 33, 64}},
      {3, 2, reflect, false, 128, {1, 24, 7, 5}},
      {3, 2, reflect, true, 3, {1, 1, 2, 2}},
      {3, 3, reflect, true, 3, {1, 13, 7, 5}},
      {5, 1, zero, true, 3, {1, 13, 7, 5}},
      {5, 1, reflect, true, 13, {1, 3, 33, 64}},
      {5, 2, reflect, true, 13, {1, 24, 7, 5}},
      {5, 2, zero, true, 3, {1, 3, 1, 1}, true},
      {7, 1, reflect, true, 3, {2, 3, 7, 5}},
      {11, 1, zero, true, 3, {1, 3, 7, 5}},
      // Large enough for Winograd, with tiles of either size that reach over the edge.
      {3, 1, zero, true, 19, {1, 17, 13, 17}},
      {3, 1, reflect, true, 24, {2, 16, 13, 17}},
      {3, 1, reflect, false, 16, {1, 24, 30, 36}},
      {3, 1, zero, true, 16, {2, 16, 33, 64}},
      {3, 1, reflect, true, 16, {1, 16, 4, 64}},
      {3, 1, reflect, true, 16, {1, 16, 64, 5}},
  };
  for (const Row& r : rows) {
    table.push_back({fmt::format("conv.k{}.s{}.{}{}.o{}.{}", r.kernel, r.stride,
                                 r.border == zero ? "zero" : "reflect", r.bias ? "" : ".nobias",
                                 r.out_c, size_name(r.src)),
                     [r] {
                       CaseGraph g = unary(Conv2d{r.out_c, r.kernel, r.stride, r.border, r.bias},
                                           uniform(r.src, "x"));
                       g.sparse = r.sparse;
                       return g;
                     }});
  }
}

void add_conv_pad_end(Table& table) {
  struct Row {
    int kernel, stride;
    Border border;
    int out_c;
    Shape src;
    bool sparse = false;
  };
  constexpr Border zero = Border::zero, reflect = Border::reflect;
  const Row rows[] = {{3, 2, zero, 24, {2, 13, 8, 6}},  {3, 2, zero, 3, {1, 24, 7, 5}},
                      {3, 2, zero, 13, {1, 3, 33, 64}}, {3, 2, zero, 3, {1, 13, 2, 2}, true},
                      {3, 1, zero, 24, {1, 24, 7, 5}},  {5, 2, reflect, 3, {1, 13, 8, 6}},
                      {1, 1, zero, 13, {2, 24, 7, 5}},  {4, 4, zero, 1, {2, 13, 4, 4}},
                      {4, 2, zero, 13, {1, 3, 33, 64}}, {2, 1, reflect, 3, {1, 13, 7, 5}}};
  for (const Row& r : rows)
    table.push_back({fmt::format("conv.pad_end.k{}.s{}.{}.o{}.{}", r.kernel, r.stride,
                                 r.border == zero ? "zero" : "reflect", r.out_c, size_name(r.src)),
                     [r] {
                       CaseGraph g =
                           unary(Conv2d{r.out_c, r.kernel, r.stride, r.border, true, 1, true},
                                 uniform(r.src, "x"));
                       g.sparse = r.sparse;
                       return g;
                     }});
}

void add_pool(Table& table) {
  struct Row {
    int factor;
    Shape src;
  };
  const Row rows[] = {{1, {1, 3, 1, 1}},   {2, {1, 1, 7, 5}},    {2, {1, 13, 33, 64}},
                      {2, {2, 24, 7, 5}},  {2, {1, 128, 7, 5}},  {3, {1, 3, 7, 5}},
                      {3, {2, 3, 33, 64}}, {4, {1, 24, 33, 64}}, {5, {1, 13, 7, 5}}};
  for (const Row& r : rows) {
    for (const bool max : {true, false}) {
      table.push_back(
          {fmt::format("pool.{}.f{}.{}", max ? "max" : "average", r.factor, size_name(r.src)), [=] {
             const Op op = max ? Op(MaxPool{r.factor}) : Linear::average_pool(r.src, r.factor);
             CaseGraph g = unary(op, distinct_in_blocks(r.src, "x", r.factor));
             g.sparse = max;  // one pixel of each block has a gradient
             return g;
           }});
    }
  }
}

void add_resize(Table& table) {
  struct Kind {
    const char* name;
    ResizeKind kind;
    bool align_corners = false;
  };
  const Kind kinds[] = {{"nearest", ResizeKind::nearest},
                        {"bilinear", ResizeKind::bilinear},
                        {"bilinear.align", ResizeKind::bilinear, true},
                        {"bicubic", ResizeKind::bicubic},
                        {"area", ResizeKind::area}};
  struct Row {
    Shape src;
    int h, w;
  };
  const Row rows[] = {{{1, 13, 33, 64}, 17, 32}, {{2, 3, 7, 5}, 4, 3},  {{1, 24, 7, 5}, 10, 11},
                      {{1, 3, 7, 5}, 1, 1},      {{1, 13, 1, 1}, 3, 2}, {{1, 128, 7, 5}, 3, 9}};
  for (const Kind& k : kinds)
    for (const Row& r : rows)
      table.push_back(
          {fmt::format("resize.{}.to{}x{}.{}", k.name, r.h, r.w, size_name(r.src)), [=] {
             CaseGraph g = unary(Linear::resize(r.src, k.kind, r.h, r.w, k.align_corners),
                                 uniform(r.src, "x"));
             g.sparse = r.h < r.src.h;  // nearest and corners skip pixels
             return g;
           }});
}

void add_upsample(Table& table) {
  struct Kind {
    const char* name;
    ResizeKind kind;
    bool align_corners;
  };
  const Kind kinds[] = {{"nearest", ResizeKind::nearest, false},
                        {"bilinear", ResizeKind::bilinear, false},
                        {"bilinear.align", ResizeKind::bilinear, true},
                        {"bicubic", ResizeKind::bicubic, false}};
  struct Row {
    int factor;
    Shape src;
  };
  const Row rows[] = {{1, {1, 3, 7, 5}},   {2, {1, 3, 1, 1}},  {2, {1, 1, 7, 5}},
                      {2, {1, 3, 33, 64}}, {2, {2, 24, 7, 5}}, {2, {1, 128, 7, 5}},
                      {3, {1, 13, 7, 5}},  {4, {1, 13, 1, 5}}};
  for (const Kind& k : kinds)
    for (const Row& r : rows)
      table.push_back({fmt::format("upsample.{}.f{}.{}", k.name, r.factor, size_name(r.src)), [=] {
                         return unary(Linear::enlarge(r.src, r.factor, k.kind, k.align_corners),
                                      uniform(r.src, "x"));
                       }});
}

void add_reduce(Table& table) {
  struct Kind {
    const char* name;
    ReduceKernel kernel;
  };
  const Kind kinds[] = {{"lanczos2", ReduceKernel::lanczos2},
                        {"lanczos3", ReduceKernel::lanczos3},
                        {"bicubic", ReduceKernel::bicubic},
                        {"box", ReduceKernel::box}};
  struct Row {
    int factor;
    Shape src;
  };
  const Row rows[] = {{1, {1, 3, 7, 5}},  {2, {1, 1, 7, 5}},   {2, {2, 24, 7, 5}},
                      {3, {1, 13, 7, 5}}, {4, {1, 3, 33, 64}}, {8, {1, 3, 33, 64}}};
  for (const Kind& k : kinds)
    for (const Row& r : rows)
      table.push_back(
          {fmt::format("reduce.{}.f{}.{}", k.name, r.factor, size_name(r.src)),
           [=] { return unary(Linear::reduce(r.src, k.kernel, r.factor), uniform(r.src, "x")); }});
}

Filter filter(int h, int w, Border border) {
  const Tensor taps = uniform({1, 1, h, w}, "taps");
  return {std::make_shared<const Tensor>(taps), border};
}

void add_filter(Table& table) {
  constexpr Border zero = Border::zero, reflect = Border::reflect;
  struct Row {
    int h, w;
    Border border;
    Shape src;
  };
  const Row rows[] = {
      {1, 1, reflect, {1, 3, 1, 1}},    {3, 3, reflect, {1, 1, 7, 5}},
      {3, 3, zero, {1, 13, 7, 5}},      {1, 7, reflect, {1, 3, 33, 64}},
      {7, 1, reflect, {2, 3, 33, 64}},  {1, 4, zero, {1, 24, 7, 5}},
      {4, 1, reflect, {2, 13, 7, 5}},   {2, 2, reflect, {1, 3, 2, 2}},
      {6, 5, zero, {2, 3, 7, 5}},       {9, 9, reflect, {1, 3, 7, 5}},
      {13, 9, zero, {1, 1, 7, 5}},      {5, 9, reflect, {1, 128, 7, 5}},
      {11, 8, reflect, {1, 3, 33, 64}},
  };
  for (const Row& r : rows)
    table.push_back({fmt::format("filter.{}x{}.{}.{}", r.h, r.w,
                                 r.border == zero ? "zero" : "reflect", size_name(r.src)),
                     [=] { return unary(filter(r.h, r.w, r.border), uniform(r.src, "x")); }});
  table.push_back(
      {"filter.with_holes", [] {
         Tensor taps({1, 1, 5, 5});
         for (int i = 0; i < 5; ++i) taps.at(0, 0, i, i) = 0.2f;
         return unary(Filter{std::make_shared<const Tensor>(taps)}, uniform({1, 3, 7, 5}, "x"));
       }});
  table.push_back({"filter.slices_of_concats", [=] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{2, 3, 9, 8});
                     const NodeId a = g.graph.add(filter(3, 4, reflect), {x}, "a");
                     const NodeId b = g.graph.add(Conv2d{13}, {x}, "b");
                     const NodeId join = g.graph.add(Concat{}, {a, b}, "join");
                     const NodeId c = g.graph.add(filter(5, 1, zero), {join}, "c");
                     const NodeId d = g.graph.add(filter(1, 5, reflect), {join}, "d");
                     return finish(g, g.graph.add(Concat{}, {c, d, join}, "all"));
                   }});
  table.push_back({"filter.behind_a_norm", [=] {
                     CaseGraph g;
                     NodeId x = input(g, Shape{1, 13, 9, 8});
                     x = g.graph.add(Norm{}, {x}, "norm");
                     x = g.graph.add(Activation{}, {x}, "act");
                     x = g.graph.add(filter(3, 1, reflect), {x}, "rows");
                     return finish(g, g.graph.add(filter(1, 3, reflect), {x}, "columns"));
                   }});
}

void add_concat(Table& table) {
  const std::pair<const char*, std::vector<Shape>> rows[] = {
      {"one", {{1, 3, 7, 5}}},
      {"equal", {{1, 13, 7, 5}, {1, 3, 7, 5}}},
      {"first_larger", {{1, 13, 8, 7}, {1, 24, 7, 5}}},
      {"second_larger", {{1, 1, 7, 5}, {1, 3, 8, 6}}},
      {"crossed", {{2, 3, 7, 7}, {2, 4, 8, 5}}},
      {"three", {{1, 3, 33, 64}, {1, 1, 34, 66}, {1, 4, 35, 64}}},
      {"wide", {{1, 128, 7, 5}, {1, 4, 8, 6}}},
      {"pixel", {{1, 13, 1, 1}, {1, 3, 1, 1}}},
  };
  for (const auto& [name, shapes] : rows) {
    table.push_back({fmt::format("concat.{}", name), [shapes = shapes] {
                       CaseGraph g;
                       std::vector<NodeId> src;
                       for (const Shape& s : shapes)
                         src.push_back(input(g, s, fmt::format("x{}", src.size())));
                       return finish(g, g.graph.add(Concat{}, src, "op"));
                     }});
  }
  table.push_back({"concat.twice_the_same", [] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{1, 3, 7, 5});
                     return finish(g, g.graph.add(Concat{}, {x, x}, "op"));
                   }});
  table.push_back({"concat.with_constant", [] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{1, 3, 7, 5});
                     const NodeId k = constant(g, uniform({1, 13, 8, 6}, "k"), "k");
                     return finish(g, g.graph.add(Concat{}, {k, x}, "op"));
                   }});
}

void add_center_crop(Table& table) {
  struct Row {
    Shape src;
    int h, w;
  };
  const Row rows[] = {{{1, 3, 7, 5}, 7, 5},   {{1, 13, 7, 5}, 6, 4},    {{2, 24, 7, 5}, 5, 4},
                      {{1, 128, 7, 5}, 7, 3}, {{1, 3, 33, 64}, 32, 61}, {{1, 13, 1, 1}, 1, 1}};
  for (const Row& r : rows)
    table.push_back({fmt::format("center_crop.{}.to{}x{}", size_name(r.src), r.h, r.w), [=] {
                       return unary(Linear::center_crop(r.src, r.h, r.w), uniform(r.src, "x"));
                     }});
}

void add_pad(Table& table) {
  struct Row {
    Shape src;
    int h, w;
  };
  const Row rows[] = {{{1, 3, 7, 5}, 7, 5},   {{1, 13, 7, 5}, 8, 6},    {{2, 24, 7, 5}, 7, 6},
                      {{1, 128, 7, 5}, 9, 8}, {{1, 3, 33, 64}, 34, 64}, {{1, 13, 1, 1}, 2, 3}};
  for (const Row& r : rows)
    table.push_back({fmt::format("pad.{}.to{}x{}", size_name(r.src), r.h, r.w), [=] {
                       CaseGraph g = unary(Linear::pad(r.src, r.h, r.w), uniform(r.src, "x"));
                       g.sparse = true;
                       return g;
                     }});
}

void add_shuffle(Table& table) {
  struct Row {
    int factor;
    Shape src;
  };
  const Row rows[] = {{1, {1, 3, 7, 5}},
                      {2, {1, 4, 1, 1}},
                      {2, {1, 12, 33, 64}},
                      {2, {2, 128, 7, 5}},
                      {3, {1, 117, 7, 5}}};
  for (const Row& r : rows)
    table.push_back({fmt::format("pixel_shuffle.f{}.{}", r.factor, size_name(r.src)),
                     [=] { return unary(PixelShuffle{r.factor}, uniform(r.src, "x")); }});
}

void add_conv_transpose(Table& table) {
  struct Row {
    int out_c, stride;
    bool bias;
    Shape src;
  };
  const Row rows[] = {{3, 2, true, {1, 1, 1, 1}},    {13, 2, true, {1, 3, 33, 64}},
                      {24, 2, true, {1, 128, 7, 5}}, {3, 2, false, {2, 13, 7, 5}},
                      {13, 1, true, {1, 24, 7, 5}},  {3, 3, true, {1, 13, 7, 5}},
                      {1, 4, true, {1, 3, 7, 5}}};
  for (const Row& r : rows)
    table.push_back(
        {fmt::format("conv_transpose.s{}{}.o{}.{}", r.stride, r.bias ? "" : ".nobias", r.out_c,
                     size_name(r.src)),
         [=] {
           return unary(ConvTranspose2d{r.out_c, r.stride, r.bias}, uniform(r.src, "x"));
         }});
  struct Overlapping {
    int kernel, stride, padding;
    bool bias;
    int out_c;
    Shape src;
    bool sparse = false;  ///< most pixels of dst are reached by no tap
  };
  const Overlapping overlapping[] = {
      {4, 2, 1, true, 13, {2, 24, 7, 5}},  {4, 2, 1, false, 1, {1, 13, 7, 5}},
      {7, 1, 0, true, 24, {3, 13, 1, 1}},  {5, 2, 2, true, 3, {1, 3, 33, 64}},
      {3, 1, 1, true, 13, {1, 128, 7, 5}}, {5, 3, 4, true, 3, {2, 13, 7, 5}},
      {4, 2, 3, true, 3, {1, 13, 4, 3}},   {2, 3, 0, false, 3, {1, 3, 7, 5}, true},
      {2, 2, 1, true, 3, {1, 3, 7, 5}}};
  for (const Overlapping& r : overlapping)
    table.push_back({fmt::format("conv_transpose.k{}.s{}.p{}{}.o{}.{}", r.kernel, r.stride,
                                 r.padding, r.bias ? "" : ".nobias", r.out_c, size_name(r.src)),
                     [=] {
                       const ConvTranspose2d op{r.out_c, r.stride, r.bias, r.kernel, r.padding};
                       CaseGraph g = unary(op, uniform(r.src, "x"));
                       g.sparse = r.sparse;
                       return g;
                     }});
}

void add_learned(Table& table) {
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{1, 13, 33, 64}, Shape{2, 3, 7, 5}})
    table.push_back({"learned." + size_name(s), [s] {
                       CaseGraph g;
                       const auto start = std::make_shared<const Tensor>(uniform(s, "start"));
                       const NodeId z = g.graph.add(Learned{start}, {}, "z");
                       const NodeId x = input(g, s, "x");
                       return finish(g, g.graph.add(Multiply{}, {z, x}, "op"));
                     }});
  table.push_back({"learned.side_by_side", [] {
                     CaseGraph g;
                     const auto start = std::make_shared<const Tensor>(uniform({1, 3, 7, 5}, "s"));
                     const NodeId z = g.graph.add(Learned{start}, {}, "z");
                     const NodeId x = input(g, Shape{1, 13, 7, 5}, "x");
                     return finish(g, g.graph.add(Concat{}, {z, x}, "op"));
                   }});
}

void add_norm(Table& table) {
  struct Row {
    const char* name;
    Shape src;
    float eps, low, high;
  };
  const Row rows[] = {
      {"", {1, 1, 7, 5}, 1e-5f, -1, 1},        {"", {1, 3, 33, 64}, 1e-5f, -1, 1},
      {"", {2, 13, 33, 64}, 1e-5f, -1, 1},     {"", {1, 24, 7, 5}, 1e-5f, -1, 1},
      {"", {2, 128, 7, 5}, 1e-5f, -1, 1},      {"", {4, 13, 1, 1}, 1e-5f, -1, 1},
      {".eps0.1", {1, 13, 7, 5}, 0.1f, -1, 1}, {".far_from_0", {1, 13, 33, 64}, 1e-5f, 2, 4},
  };
  for (const Row& r : rows)
    table.push_back({fmt::format("batch_norm{}.{}", r.name, size_name(r.src)), [=] {
                       return unary(Norm{.eps = r.eps}, uniform(r.src, "x", r.low, r.high));
                     }});
  for (const Row& r : rows) {
    if (r.src.h == 1) continue;  // an instance of one pixel is always 0
    table.push_back(
        {fmt::format("instance_norm{}.{}", r.name, size_name(r.src)), [=] {
           return unary(Norm{NormKind::instance, 1, r.eps}, uniform(r.src, "x", r.low, r.high));
         }});
  }
  struct Groups {
    int groups;
    Shape src;
  };
  for (const Groups& r : {Groups{1, {1, 3, 33, 64}}, Groups{2, {2, 24, 7, 5}},
                          Groups{8, {1, 128, 7, 5}}, Groups{13, {2, 13, 7, 5}}})
    table.push_back({fmt::format("group_norm.g{}.{}", r.groups, size_name(r.src)), [=] {
                       return unary(Norm{NormKind::group, r.groups}, uniform(r.src, "x", 1, 3));
                     }});
}

/// Statistics that are not those of the whole source, also behind a fused activation and read
/// through by a convolution.
void add_norm_statistics(Table& table) {
  struct Row {
    const char* name;
    Norm op;
    Shape src;
  };
  const Norm tracked{.statistics = NormStatistics::tracked},
      fast{.statistics = NormStatistics::tracked, .momentum = 0.9f},
      fixed{.statistics = NormStatistics::fixed}, halves{.parts = 2}, thirds{.parts = 3};
  const Row rows[] = {
      {"batch_norm.tracked", tracked, {2, 13, 7, 5}}, {"batch_norm.tracked", fast, {1, 3, 33, 64}},
      {"batch_norm.fixed", fixed, {2, 13, 7, 5}},     {"batch_norm.fixed", fixed, {1, 3, 33, 64}},
      {"batch_norm.fixed", fixed, {1, 24, 1, 1}},     {"batch_norm.halves", halves, {4, 13, 7, 5}},
      {"batch_norm.thirds", thirds, {6, 3, 7, 5}},    {"batch_norm.halves", halves, {2, 3, 33, 64}},
  };
  for (const Row& r : rows) {
    table.push_back({fmt::format("{}.{}", r.name, size_name(r.src)), [=] {
                       CaseGraph g = unary(r.op, uniform(r.src, "x", -1, 2));
                       g.vanishing = {"op.mean", "op.var"};
                       return g;
                     }});
    table.push_back({fmt::format("chain.{}.{}", r.name, size_name(r.src)), [=] {
                       CaseGraph g;
                       NodeId x = input(g, uniform(r.src, "x", -1, 2), "x");
                       x = g.graph.add(r.op, {x}, "norm");
                       g.vanishing = {"norm.mean", "norm.var"};
                       x = g.graph.add(Activation{ActivationKind::leaky_relu, 0.2f}, {x}, "act");
                       g.smooth = false;
                       const int kernel = r.src.h > 1 ? 3 : 1;
                       return finish(g, g.graph.add(Conv2d{3, kernel}, {x}, "conv"));
                     }});
  }
}

void add_activation(Table& table) {
  struct Kind {
    const char* name;
    Activation op;
  };
  const Kind kinds[] = {{"leaky_relu", {ActivationKind::leaky_relu, 0.2f}},
                        {"leaky_relu.slope0.01", {ActivationKind::leaky_relu, 0.01f}},
                        {"elu", {ActivationKind::elu, 1.f}},
                        {"elu.alpha0.5", {ActivationKind::elu, 0.5f}},
                        {"relu", {ActivationKind::relu, 0.f}},
                        {"silu", {ActivationKind::silu, 0.f}},
                        {"gelu", {ActivationKind::gelu, 0.f}},
                        {"tanh", {ActivationKind::tanh, 0.f}},
                        {"sigmoid", {ActivationKind::sigmoid, 0.f}}};
  const Shape shapes[] = {{1, 1, 1, 1}, {1, 3, 33, 64}, {2, 13, 7, 5}, {1, 128, 7, 5}};
  for (const Kind& k : kinds)
    for (const Shape& s : shapes)
      table.push_back({fmt::format("activation.{}.{}", k.name, size_name(s)), [=] {
                         CaseGraph g = unary(k.op, off_zero(s, "x"));
                         g.sparse = k.op.kind == ActivationKind::relu && s.count() > 1;
                         return g;
                       }});
}

void add_add(Table& table) {
  for (const Shape& s :
       {Shape{1, 1, 1, 1}, Shape{1, 13, 7, 5}, Shape{2, 3, 33, 64}, Shape{1, 128, 7, 5}})
    table.push_back({"add." + size_name(s), [s] {
                       CaseGraph g;
                       const NodeId a = input(g, s, "a"), b = input(g, s, "b");
                       return finish(g, g.graph.add(Add{}, {a, b}, "op"));
                     }});
  for (const Shape& s : {Shape{1, 1, 7, 5}, Shape{3, 13, 7, 5}, Shape{2, 3, 33, 64}})
    table.push_back({"add.one_pixel." + size_name(s), [s] {
                       CaseGraph g;
                       const NodeId a = input(g, s, "a");
                       const NodeId b = input(g, Shape{s.n, s.c, 1, 1}, "b");
                       return finish(g, g.graph.add(Add{}, {a, b}, "op"));
                     }});
  table.push_back({"add.one_pixel.b_shared", [] {
                     CaseGraph g;
                     const NodeId a = input(g, Shape{2, 3, 7, 5}, "a");
                     const NodeId b = input(g, Shape{2, 3, 1, 1}, "b");
                     const NodeId once = g.graph.add(Add{}, {a, b}, "once");
                     return finish(g, g.graph.add(Add{}, {once, b}, "twice"));
                   }});
  table.push_back({"add.twice_the_same", [] {
                     CaseGraph g;
                     const NodeId a = input(g, Shape{1, 3, 7, 5}, "a");
                     return finish(g, g.graph.add(Add{}, {a, a}, "op"));
                   }});
}

void add_multiply(Table& table) {
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{1, 13, 7, 5}, Shape{2, 3, 33, 64},
                         Shape{1, 128, 7, 5}, Shape{1, 24, 7, 5}}) {
    table.push_back({"multiply.same." + size_name(s), [s] {
                       CaseGraph g;
                       const NodeId a = input(g, s, "a"), b = input(g, s, "b");
                       return finish(g, g.graph.add(Multiply{}, {a, b}, "op"));
                     }});
    table.push_back({"multiply.one_channel." + size_name(s), [s] {
                       CaseGraph g;
                       const NodeId a = input(g, s, "a");
                       const NodeId b = input(g, Shape{s.n, 1, s.h, s.w}, "b");
                       return finish(g, g.graph.add(Multiply{}, {a, b}, "op"));
                     }});
  }
  for (const int c_of_mask : {1, 3})
    table.push_back({fmt::format("multiply.mask{}.c3.33x64", c_of_mask), [=] {
                       CaseGraph g;
                       const NodeId a = input(g, Shape{1, 3, 33, 64}, "a");
                       const NodeId b = constant(g, mask({1, c_of_mask, 33, 64}), "b");
                       return finish(g, g.graph.add(Multiply{}, {a, b}, "op"));
                     }});
  table.push_back({"multiply.constant_first.c3.7x5", [] {
                     CaseGraph g;
                     const NodeId a = constant(g, uniform({1, 3, 7, 5}, "a"), "a");
                     const NodeId b = input(g, Shape{1, 1, 7, 5}, "b");
                     return finish(g, g.graph.add(Multiply{}, {a, b}, "op"));
                   }});
  table.push_back({"multiply.square.c3.7x5", [] {
                     CaseGraph g;
                     const NodeId a = input(g, Shape{1, 3, 7, 5}, "a");
                     return finish(g, g.graph.add(Multiply{}, {a, a}, "op"));
                   }});
}

void add_losses(Table& table) {
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{2, 3, 7, 5}, Shape{1, 13, 33, 64}}) {
    for (const bool both : {true, false}) {
      const std::string rest = (both ? ".both." : ".constant.") + size_name(s);
      const auto build = [=](Op op) {
        CaseGraph g;
        const Tensor b = uniform(s, "b");
        Tensor a = off_zero(s, "a");  // the difference a - b, for the sake of L1
        for (std::size_t i = 0; i < a.count(); ++i) a.values()[i] += b.values()[i];
        const NodeId na = input(g, std::move(a), "a");
        const NodeId nb = both ? input(g, b, "b") : constant(g, b, "b");
        return finish_scalar(g, g.graph.add(std::move(op), {na, nb}, "op"));
      };
      table.push_back({"mse" + rest, [=] { return build(Mse{}); }});
      table.push_back({"l1" + rest, [=] { return build(L1{}); }});
    }
  }
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{8, 1, 1, 1}, Shape{2, 13, 7, 5}})
    for (const bool both : {true, false})
      table.push_back(
          {fmt::format("bce_with_logits.{}.{}", both ? "both" : "constant", size_name(s)), [=] {
             CaseGraph g;
             const NodeId a = input(g, uniform(s, "a", -4, 4), "a");
             const Tensor b = uniform(s, "b", 0, 1);
             const NodeId nb = both ? input(g, b, "b") : constant(g, b, "b");
             return finish_scalar(g, g.graph.add(BceWithLogits{}, {a, nb}, "op"));
           }});
  table.push_back({"mse.second_learned.c3.7x5", [] {
                     CaseGraph g;
                     const NodeId a = constant(g, uniform({1, 3, 7, 5}, "a"), "a");
                     const NodeId b = input(g, Shape{1, 3, 7, 5}, "b");
                     return finish_scalar(g, g.graph.add(Mse{}, {a, b}, "op"));
                   }});
  struct Row {
    const char* name;
    TotalVariation op;
    Shape src;
  };
  const Row rows[] = {{"", {}, {1, 1, 2, 2}},
                      {"", {}, {2, 3, 7, 5}},
                      {"", {}, {1, 3, 33, 64}},
                      {".beta1", {1.f, 1e-8f}, {1, 13, 7, 5}},
                      {".beta0.75.eps0.1", {0.75f, 0.1f}, {1, 24, 7, 5}}};
  for (const Row& r : rows)
    table.push_back({fmt::format("total_variation{}.{}", r.name, size_name(r.src)), [=] {
                       CaseGraph g;
                       const NodeId x = input(g, checkered(r.src, "x"), "x");
                       return finish_scalar(g, g.graph.add(r.op, {x}, "op"));
                     }});
  table.push_back({"weighted_sum", [] {
                     CaseGraph g;
                     const NodeId x = input(g, checkered({1, 3, 7, 5}, "x"), "x");
                     const NodeId y = constant(g, uniform({1, 3, 7, 5}, "y", 2, 3), "y");
                     const NodeId fit = g.graph.add(Mse{}, {x, y}, "fit");
                     const NodeId tv = g.graph.add(TotalVariation{}, {x}, "tv");
                     const NodeId l1 = g.graph.add(L1{}, {x, y}, "l1");
                     return finish_scalar(
                         g, g.graph.add(WeightedSum{{1.f, 0.25f, -0.125f}}, {fit, tv, l1}, "op"));
                   }});
}

void add_jitter(Table& table) {
  for (const Shape& s :
       {Shape{1, 1, 1, 1}, Shape{1, 3, 7, 5}, Shape{2, 13, 33, 64}, Shape{1, 32, 7, 5}})
    table.push_back(
        {"jitter." + size_name(s), [s] { return unary(Jitter{0.1f}, uniform(s, "x")); }});
}

void add_dropout(Table& table) {
  struct Row {
    float rate;
    Shape src;
  };
  for (const Row& r : {Row{0.f, {1, 3, 7, 5}}, Row{0.1f, {2, 13, 33, 64}}, Row{0.3f, {2, 3, 7, 5}},
                       Row{0.75f, {1, 32, 7, 5}}})
    table.push_back({fmt::format("dropout.{}.{}", r.rate, size_name(r.src)), [r] {
                       CaseGraph g = unary(Dropout{r.rate}, uniform(r.src, "x"));
                       g.sparse = r.rate > 0.5f;
                       return g;
                     }});
}

void add_time_embedding(Table& table) {
  struct Row {
    int n, channels;
    bool flip;
    float shift, latest;  ///< times from 0 to latest
  };
  const Row rows[] = {{1, 2, true, 0.f, 9.f},
                      {3, 32, false, 1.f, 30.f},
                      {3, 32, true, 0.f, 30.f},
                      {2, 26, true, 0.5f, 9.f}};
  for (const Row& r : rows)
    table.push_back({fmt::format("time_embedding.{}.shift{}.c{}.n{}", r.flip ? "flip" : "sin_first",
                                 r.shift, r.channels, r.n),
                     [r] {
                       return unary(TimeEmbedding{r.channels, r.flip, r.shift},
                                    uniform({r.n, 1, 1, 1}, "x", 0.f, r.latest));
                     }});
}

void add_attention(Table& table) {
  struct Row {
    int heads;
    Shape src;
  };
  const Row rows[] = {{1, {1, 1, 7, 5}},  {1, {2, 13, 7, 5}},  {2, {2, 24, 7, 5}},
                      {4, {1, 32, 4, 4}}, {1, {1, 128, 7, 5}}, {2, {1, 6, 17, 16}},
                      {3, {1, 3, 1, 2}}};
  for (const Row& r : rows)
    table.push_back({fmt::format("attention.heads{}.{}", r.heads, size_name(r.src)), [r] {
                       CaseGraph g;
                       const NodeId q = input(g, r.src, "q"), k = input(g, r.src, "k");
                       const NodeId v = input(g, r.src, "v");
                       return finish(g, g.graph.add(Attention{r.heads}, {q, k, v}, "op"));
                     }});
  table.push_back({"attention.far_apart", [] {  // exponents that would overflow
                     CaseGraph g;
                     const Shape s{1, 13, 4, 5};
                     const NodeId q = input(g, uniform(s, "q", -9, 9), "q");
                     const NodeId k = input(g, uniform(s, "k", -9, 9), "k");
                     const NodeId v = input(g, s, "v");
                     g.sparse = true;
                     return finish(g, g.graph.add(Attention{1}, {q, k, v}, "op"));
                   }});
  table.push_back({"attention.of_one_source", [] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{2, 24, 17, 16}, "x");
                     return finish(g, g.graph.add(Attention{2}, {x, x, x}, "op"));
                   }});
  table.push_back({"attention.one_pixel", [] {
                     CaseGraph g;
                     const Shape s{2, 13, 1, 1};
                     const NodeId q = input(g, s, "q"), k = input(g, s, "k"), v = input(g, s, "v");
                     g.vanishing = {"q", "k"};
                     return finish(g, g.graph.add(Attention{1}, {q, k, v}, "op"));
                   }});
  table.push_back({"attention.of_constant_keys", [] {
                     CaseGraph g;
                     const Shape s{1, 13, 7, 5};
                     const NodeId q = input(g, s, "q"), v = input(g, s, "v");
                     const NodeId k = constant(g, uniform(s, "k"), "k");
                     return finish(g, g.graph.add(Attention{1}, {q, k, v}, "op"));
                   }});
}

// ---- chains: what a fast engine fuses, shares or overwrites -----------------------------------

Conv2d reflect_conv(int out_c, int kernel = 3, int stride = 1) {
  return {out_c, kernel, stride, Border::reflect, true};
}

/// conv - norm - activation, as in the encoder of the prior's networks.
NodeId block(CaseGraph& g, NodeId x, const Conv2d& conv, const Activation& act,
             const std::string& name) {
  x = g.graph.add(conv, {x}, name + ".conv");
  if (conv.bias) g.vanishing.push_back(name + ".conv.bias");
  x = g.graph.add(Norm{}, {x}, name + ".norm");
  return g.graph.add(act, {x}, name + ".act");
}

/// Two scales of the skip network with an uneven size, so that concat has to crop.
NodeId skip_net(CaseGraph& g, NodeId z, const Activation& act, ResizeKind kind) {
  const NodeId skip = block(g, z, reflect_conv(4, 1), act, "skip");
  NodeId x = block(g, z, reflect_conv(13, 3, 2), act, "down0");
  x = block(g, x, reflect_conv(24, 3), act, "down1");
  x = g.graph.add(Linear::enlarge(g.graph.shape(x), 2, kind), {x}, "up");
  x = g.graph.add(Concat{}, {skip, x}, "join");
  x = g.graph.add(Norm{}, {x}, "join.norm");
  g.vanishing.push_back("join.norm.beta");  // reflected, a constant reaches the next norm as one
  x = block(g, x, reflect_conv(13), act, "up0");
  x = block(g, x, reflect_conv(13, 1), act, "up1");
  x = g.graph.add(reflect_conv(3, 1), {x}, "last");
  return g.graph.add(Activation{ActivationKind::sigmoid, 0.f}, {x}, "sigmoid");
}

void add_chains(Table& table) {
  const Activation silu{ActivationKind::silu, 0.f};
  const Activation leaky{};
  for (const bool z_learned : {false, true})
    table.push_back({z_learned ? "chain.skip_net.z_learned" : "chain.skip_net", [=] {
                       CaseGraph g;
                       NodeId z = input(g, uniform({1, 13, 9, 14}, "z"), "z", z_learned);
                       z = g.graph.add(Jitter{0.03f}, {z}, "jitter");
                       return finish(g, skip_net(g, z, silu, ResizeKind::bilinear));
                     }});
  table.push_back({"chain.skip_net.leaky.n2", [=] {
                     CaseGraph g;
                     g.smooth = false;
                     const NodeId z = input(g, uniform({2, 13, 17, 32}, "z"), "z", false);
                     return finish(g, skip_net(g, z, leaky, ResizeKind::nearest));
                   }});
  table.push_back({"chain.inpaint", [=] {
                     CaseGraph g;
                     const NodeId z = input(g, uniform({1, 3, 9, 14}, "z"), "z", false);
                     const NodeId x = skip_net(g, z, silu, ResizeKind::nearest);
                     const NodeId m = constant(g, mask({1, 1, 9, 14}), "mask");
                     return finish(g, g.graph.add(Multiply{}, {x, m}, "masked"));
                   }});
  table.push_back(
      {"chain.superres_with_tv", [=] {
         CaseGraph g;
         const NodeId z = input(g, uniform({1, 3, 9, 14}, "z"), "z", false);
         const NodeId x = skip_net(g, z, silu, ResizeKind::bilinear);
         g.graph.keep(x);
         const NodeId small =
             g.graph.add(Linear::reduce(g.graph.shape(x), ReduceKernel::lanczos2, 2), {x}, "small");
         const NodeId y = constant(g, uniform(g.graph.shape(small), "y", 0, 1), "y");
         const NodeId fit = g.graph.add(Mse{}, {small, y}, "fit");
         const NodeId tv = g.graph.add(TotalVariation{0.5f, 1e-2f}, {x}, "tv");
         return finish_scalar(g, g.graph.add(WeightedSum{{1.f, 0.1f}}, {fit, tv}, "loss"));
       }});
  table.push_back({"chain.three_consumers", [=] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{1, 13, 8, 6});
                     const NodeId a = g.graph.add(silu, {x}, "shared");
                     g.graph.keep(a);
                     const NodeId b = g.graph.add(reflect_conv(13), {a}, "b");
                     const NodeId c = g.graph.add(Multiply{}, {a, b}, "c");
                     const NodeId d =
                         g.graph.add(Linear::average_pool(g.graph.shape(a), 2), {a}, "d");
                     const NodeId e = g.graph.add(Linear::enlarge(g.graph.shape(d), 2), {d}, "e");
                     return finish(g, g.graph.add(Concat{}, {a, c, e}, "join"));
                   }});
  table.push_back({"chain.norm_kept_before_activation", [=] {
                     CaseGraph g;
                     g.smooth = false;
                     NodeId x = input(g, Shape{1, 13, 7, 5});
                     x = g.graph.add(Norm{}, {x}, "norm");
                     g.graph.keep(x);
                     x = g.graph.add(leaky, {x}, "act");
                     return finish(g, g.graph.add(reflect_conv(3), {x}, "conv"));
                   }});
  table.push_back({"chain.norm_of_two_consumers", [=] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{1, 13, 7, 5});
                     const NodeId n = g.graph.add(Norm{}, {x}, "norm");
                     const NodeId a = g.graph.add(silu, {n}, "act");
                     const NodeId b = g.graph.add(reflect_conv(4), {n}, "conv");
                     return finish(g, g.graph.add(Concat{}, {a, b}, "join"));
                   }});
  table.push_back({"chain.max_pool_net", [=] {
                     CaseGraph g;
                     g.smooth = false;
                     NodeId x = input(g, uniform({1, 13, 16, 12}, "z"), "z", false);
                     x = block(g, x, reflect_conv(24), leaky, "down");
                     x = g.graph.add(MaxPool{2}, {x}, "pool");
                     x = block(g, x, {24, 3, 1, Border::zero, true}, leaky, "mid");
                     x = g.graph.add(
                         Linear::enlarge(g.graph.shape(x), 2, ResizeKind::bilinear, true), {x},
                         "up");
                     x = g.graph.add(Linear::center_crop(g.graph.shape(x), 15, 11), {x}, "crop");
                     return finish(g, g.graph.add(reflect_conv(3), {x}, "last"));
                   }});
  table.push_back({"chain.residual", [=] {
                     CaseGraph g;
                     NodeId x = input(g, uniform({1, 13, 9, 8}, "z"), "z", false);
                     x = g.graph.add(reflect_conv(24), {x}, "stem");
                     NodeId inner = g.graph.add(Norm{NormKind::instance}, {x}, "norm");
                     inner = g.graph.add(silu, {inner}, "act");
                     inner = g.graph.add(reflect_conv(24), {inner}, "conv");
                     x = g.graph.add(Add{}, {x, inner}, "add");
                     return finish(g, g.graph.add(reflect_conv(3), {x}, "last"));
                   }});
  // Pixels of several blocks of 128, with a rest and without; units of a picture, of all, of
  // groups.
  struct Normed {
    const char* name;
    Norm norm;
    Shape src;
    int out_c;
  };
  const Normed normed[] = {
      {"batch", Norm{}, {1, 5, 17, 15}, 24},
      {"batch_of_two", Norm{}, {2, 5, 16, 8}, 13},
      {"instance", Norm{NormKind::instance}, {2, 5, 16, 16}, 24},
      {"group", Norm{NormKind::group, 4}, {1, 5, 19, 14}, 24},
      {"wide", Norm{}, {1, 3, 17, 16}, 132},
  };
  for (const Normed& r : normed)
    table.push_back({fmt::format("chain.conv_{}_norm.{}", r.name, size_name(r.src)), [=] {
                       CaseGraph g;
                       NodeId x = input(g, r.src);
                       x = g.graph.add(reflect_conv(r.out_c, 1), {x}, "conv");
                       x = g.graph.add(r.norm, {x}, "norm");
                       x = g.graph.add(silu, {x}, "act");
                       x = g.graph.add(reflect_conv(8), {x}, "second");
                       x = g.graph.add(r.norm, {x}, "second norm");
                       if (r.norm.kind != NormKind::group)
                         g.vanishing = {"conv.bias", "second.bias"};
                       return finish(g, g.graph.add(reflect_conv(3, 1), {x}, "last"));
                     }});
  table.push_back({"chain.frozen_convs", [=] {
                     CaseGraph g;
                     const auto start = std::make_shared<const Tensor>(uniform({1, 3, 9, 8}, "s"));
                     NodeId x = g.graph.add(Learned{start}, {}, "z");
                     x = g.graph.add(Jitter{0.03f}, {x}, "jitter");
                     x = g.graph.add(reflect_conv(24), {x}, "wide");
                     x = g.graph.add(Norm{}, {x}, "norm");
                     x = g.graph.add(silu, {x}, "act");
                     x = g.graph.add(reflect_conv(16), {x}, "winograd");
                     x = g.graph.add(reflect_conv(3, 1), {x}, "pointwise");
                     x = g.graph.add(ConvTranspose2d{3, 2}, {x}, "twice");
                     for (std::size_t i = 0; i < g.graph.params().size(); ++i) {
                       const std::string& name = g.graph.params()[i].name;
                       if (!name.ends_with(".weight") && !name.ends_with(".bias")) continue;
                       g.graph.freeze(static_cast<int>(i));
                       g.vanishing.push_back(name);
                     }
                     return finish(g, x);
                   }});
  table.push_back({"chain.enlarged_jitter", [=] {  // as convdecoder's input
                     CaseGraph g;
                     NodeId x = input(g, Shape{1, 5, 5, 4});
                     x = g.graph.add(Jitter{0.03f}, {x}, "jitter");
                     x = g.graph.add(Linear::enlarge(g.graph.shape(x), 2), {x}, "twice");
                     x = g.graph.add(Linear::enlarge(g.graph.shape(x), 2), {x}, "four times");
                     x = g.graph.add(reflect_conv(13), {x}, "a");
                     return finish(g, g.graph.add(reflect_conv(3), {x}, "b"));
                   }});
  table.push_back({"chain.unet", [=] {
                     CaseGraph g;
                     NodeId z = input(g, uniform({1, 3, 9, 14}, "z"), "z", false);
                     const NodeId top = block(g, z, {24, 3, 1, Border::zero, false}, silu, "in");
                     NodeId x =
                         g.graph.add(Linear::average_pool(g.graph.shape(top), 2), {top}, "pool");
                     x = block(g, x, {32, 3, 1, Border::zero, false}, silu, "down");
                     x = g.graph.add(ConvTranspose2d{24, 2}, {x}, "up");
                     x = g.graph.add(Linear::pad(g.graph.shape(x), 9, 14), {x}, "pad");
                     x = g.graph.add(Concat{}, {top, x}, "join");
                     x = block(g, x, {24, 3, 1, Border::zero, false}, silu, "out");
                     x = g.graph.add(Conv2d{12, 3, 1, Border::zero, true, 2}, {x}, "four");
                     x = g.graph.add(PixelShuffle{2}, {x}, "shuffle");
                     return finish(g, x);
                   }});
  table.push_back({"chain.denoising_unet", [=] {
                     CaseGraph g;
                     const Conv2d conv{24, 3, 1, Border::zero, true};
                     const Norm norm{NormKind::group, 4, 1e-6f};
                     const NodeId x = input(g, uniform({2, 3, 8, 12}, "z"), "z");
                     const NodeId t = input(g, uniform({2, 1, 1, 1}, "t", 0, 99), "t", false);
                     NodeId emb = g.graph.add(TimeEmbedding{8}, {t}, "time");
                     emb = g.graph.add(Conv2d{16, 1}, {emb}, "linear");
                     emb = g.graph.add(silu, {emb}, "linear.act");
                     const auto resnet = [&](NodeId from, const std::string& name) {
                       NodeId h = g.graph.add(norm, {from}, name + ".norm1");
                       h = g.graph.add(silu, {h}, name + ".act1");
                       h = g.graph.add(conv, {h}, name + ".conv1");
                       const NodeId e = g.graph.add(Conv2d{24, 1}, {emb}, name + ".emb");
                       h = g.graph.add(Add{}, {h, e}, name + ".add");
                       h = g.graph.add(norm, {h}, name + ".norm2");
                       h = g.graph.add(silu, {h}, name + ".act2");
                       h = g.graph.add(Dropout{0.2f}, {h}, name + ".dropout");
                       h = g.graph.add(conv, {h}, name + ".conv2");
                       if (g.graph.shape(from).c != 24)
                         from = g.graph.add(Conv2d{24, 1}, {from}, name + ".shortcut");
                       return g.graph.add(Add{}, {h, from}, name + ".sum");
                     };
                     const NodeId in = g.graph.add(conv, {x}, "in");
                     const NodeId top = resnet(in, "top");
                     Conv2d half = conv;
                     half.stride = 2;
                     half.pad_end = true;
                     NodeId h = g.graph.add(half, {top}, "half");
                     const NodeId n = g.graph.add(norm, {h}, "attention.norm");
                     const NodeId q = g.graph.add(Conv2d{24, 1}, {n}, "q");
                     const NodeId k = g.graph.add(Conv2d{24, 1}, {n}, "k");
                     g.vanishing.push_back("k.bias");  // shifts all scores of a row alike
                     const NodeId v = g.graph.add(Conv2d{24, 1}, {n}, "v");
                     NodeId a = g.graph.add(Attention{3}, {q, k, v}, "attention");
                     a = g.graph.add(Conv2d{24, 1}, {a}, "attention.out");
                     h = g.graph.add(Add{}, {a, h}, "attention.sum");
                     h = g.graph.add(Linear::enlarge(g.graph.shape(h), 2, ResizeKind::nearest), {h},
                                     "up");
                     h = g.graph.add(conv, {h}, "up.conv");
                     h = resnet(g.graph.add(Concat{}, {h, top}, "join1"), "up1");
                     h = resnet(g.graph.add(Concat{}, {h, in}, "join0"), "up0");
                     return finish(g, g.graph.add(Conv2d{3, 3, 1}, {h}, "last"));
                   }});
  table.push_back({"chain.sums_in_place", [=] {
                     CaseGraph g;
                     const NodeId x = input(g, Shape{1, 13, 7, 5});
                     const NodeId a = g.graph.add(Conv2d{13}, {x}, "a");
                     const NodeId b = g.graph.add(Conv2d{13}, {x}, "b");
                     g.graph.keep(b);
                     const NodeId ab = g.graph.add(Add{}, {a, b}, "ab");
                     const NodeId ba = g.graph.add(Add{}, {b, x}, "ba");
                     const NodeId s = g.graph.add(silu, {ab}, "act");
                     const NodeId sum = g.graph.add(Add{}, {s, ab}, "sum");
                     return finish(g, g.graph.add(Concat{}, {sum, ba}, "join"));
                   }});
  table.push_back({"chain.convs_in_a_row", [=] {
                     CaseGraph g;
                     NodeId x = input(g, Shape{1, 3, 9, 8});
                     x = g.graph.add(reflect_conv(13, 5), {x}, "a");
                     x = g.graph.add(Conv2d{24, 3, 2, Border::zero, false}, {x}, "b");
                     x = g.graph.add(reflect_conv(3, 1), {x}, "c");
                     return finish(g, x);
                   }});
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const Table table = [] {
    Table t;
    add_conv(t);
    add_conv_pad_end(t);
    add_pool(t);
    add_resize(t);
    add_upsample(t);
    add_shuffle(t);
    add_conv_transpose(t);
    add_reduce(t);
    add_filter(t);
    add_concat(t);
    add_center_crop(t);
    add_pad(t);
    add_norm(t);
    add_norm_statistics(t);
    add_activation(t);
    add_add(t);
    add_multiply(t);
    add_learned(t);
    add_losses(t);
    add_jitter(t);
    add_dropout(t);
    add_time_embedding(t);
    add_attention(t);
    add_chains(t);
    return t;
  }();
  return table;
}

}  // namespace unmar::test
