#include "engine/onednn/matmul.h"

#include <omp.h>

#include <array>
#include <dnnl.hpp>
#include <string>
#include <vector>

#include "base/fail.h"

namespace unmar::cpu {
namespace {

using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc matrix(int batch, int rows, int cols, std::ptrdiff_t row_stride,
                    std::ptrdiff_t col_stride) {
  if (batch == 1) return {{rows, cols}, memory::data_type::f32, {row_stride, col_stride}};
  const std::ptrdiff_t matrix_stride = static_cast<std::ptrdiff_t>(rows) * cols;
  return {{batch, rows, cols}, memory::data_type::f32, {matrix_stride, row_stride, col_stride}};
}

dnnl::matmul::primitive_desc describe(const MatMulSpec& s) {
  const auto a = matrix(s.batch, s.m, s.k, s.a_row, s.a_col);
  const auto b = matrix(s.batch, s.k, s.n, s.b_row, s.b_col);
  const auto c = matrix(s.batch, s.m, s.n, s.c_row, 1);
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (s.accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.f);
    attr.set_post_ops(ops);
  }
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(cpu_engine(), a, b, c, attr);
#else
  return dnnl::matmul::primitive_desc({a, b, c}, attr, cpu_engine());
#endif
}

/// Primitives take the thread count that OpenMP tells at their creation.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace

struct MatMul::Impl {
  struct Slot {  ///< what one thread needs to run the primitive
    memory a, b, c, scratch;
    dnnl::stream stream;
    std::array<dnnl_exec_arg_t, 4> args;
  };
  dnnl::matmul primitive;
  std::string implementation;
  std::vector<Slot> slots;
};

MatMul::MatMul(const MatMulSpec& spec, int threads) : impl_(std::make_unique<Impl>()) {
  try {
    const OneThread one_thread;
    const auto pd = describe(spec);
    impl_->primitive = dnnl::matmul(pd);
    impl_->implementation = pd.impl_info_str();
    for (int t = 0; t < threads; ++t) {
      const dnnl::engine& engine = cpu_engine();
      Impl::Slot slot{{pd.src_desc(), engine, nullptr},
                      {pd.weights_desc(), engine, nullptr},
                      {pd.dst_desc(), engine, nullptr},
                      {pd.scratchpad_desc(), engine},
                      dnnl::stream(engine),
                      {}};
      slot.args = {{{DNNL_ARG_SRC, slot.a.get()},
                    {DNNL_ARG_WEIGHTS, slot.b.get()},
                    {DNNL_ARG_DST, slot.c.get()},
                    {DNNL_ARG_SCRATCHPAD, slot.scratch.get()}}};
      impl_->slots.push_back(std::move(slot));
    }
  } catch (const dnnl::error& e) {
    fail(ErrorCode::unsupported, "engine 'onednn': matrix product {}x{}x{}: {}; try --engine ref",
         spec.m, spec.k, spec.n, e.what());
  }
}

MatMul::~MatMul() = default;
MatMul::MatMul(MatMul&&) noexcept = default;

void MatMul::run(const float* a, const float* b, float* c, int thread) const {
  Impl::Slot& slot = impl_->slots[static_cast<std::size_t>(thread)];
  // The C interface: the C++ one builds a map and a vector for every call.
  dnnl_memory_set_data_handle(slot.a.get(), const_cast<float*>(a));
  dnnl_memory_set_data_handle(slot.b.get(), const_cast<float*>(b));
  dnnl_memory_set_data_handle(slot.c.get(), c);
  const dnnl_status_t status =
      dnnl_primitive_execute(impl_->primitive.get(), slot.stream.get(),
                             static_cast<int>(slot.args.size()), slot.args.data());
  if (status != dnnl_success)
    fail(ErrorCode::unsupported, "engine 'onednn': a matrix product failed with status {}",
         static_cast<int>(status));
}

const char* MatMul::implementation() const { return impl_->implementation.c_str(); }

namespace {
MatMulSpec with_length(MatMulSpec spec, int MatMulSpec::*length, int value) {
  spec.*length = value;
  return spec;
}
}  // namespace

PieceMatMul::PieceMatMul(MatMulSpec spec, int MatMulSpec::*length, int piece, int last_piece,
                         int threads)
    : piece_(piece), full_(with_length(spec, length, piece), threads) {
  if (last_piece != piece) last_.emplace(with_length(spec, length, last_piece), threads);
}

const char* dnnl_version_text() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
  }();
  return text.c_str();
}

}  // namespace unmar::cpu
