# cmake -DPTX=tf32.ptx -DNAME=tf32 -DOUT=ptx_tf32.cpp -P embed_ptx.cmake
file(READ ${PTX} text)
string(REGEX REPLACE "\n[ \t]*//[^\n]*" "" text "${text}")
file(WRITE ${OUT} "#include \"engine/cuda/ptx.h\"

namespace unmar::cuda {

const char* ptx_${NAME}() {
  return R\"ptx(${text})ptx\";
}

}  // namespace unmar::cuda
")
