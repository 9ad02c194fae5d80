#pragma once

namespace unmar::cuda {

/// The kernels as PTX, which the driver compiles for its card; made by clang when this is built.
const char* kernels_ptx();

}  // namespace unmar::cuda
