#pragma once

namespace unmar::cuda {

/// The modules of kernels as PTX, which the driver compiles for its card; made by clang when this
/// is built.
const char* ptx_base();
const char* ptx_others();
const char* ptx_values();
const char* ptx_fp32();
const char* ptx_tf32();
const char* ptx_bf16();

}  // namespace unmar::cuda
