# cmake -DPTX=kernels.ptx -DOUT=kernels_ptx.cpp -P embed_ptx.cmake
file(READ ${PTX} text)
string(REGEX REPLACE "\n[ \t]*//[^\n]*" "" text "${text}")
file(WRITE ${OUT} "#include \"engine/cuda/ptx.h\"

namespace unmar::cuda {

const char* kernels_ptx() {
  return R\"ptx(${text})ptx\";
}

}  // namespace unmar::cuda
")
