# The engine `cuda`: clang makes PTX of the kernels, which is embedded as text. No part of CUDA is
# needed, only at run time the driver.
set(UNMAR_CUDA AUTO CACHE STRING
    "Engine for NVIDIA cards: ON, OFF or AUTO (with tests, or where a driver is installed)")

set(cuda ${UNMAR_CUDA})
if(NOT "$ENV{UNMAR_CUDA}" STREQUAL "")
  set(cuda $ENV{UNMAR_CUDA})
endif()
find_program(UNMAR_CLANG NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14)
if(cuda STREQUAL AUTO)
  find_library(UNMAR_CUDA_DRIVER NAMES libcuda.so.1 NO_CACHE)
  if(UNMAR_TESTS OR UNMAR_CUDA_DRIVER)
    set(cuda ON)
    if(NOT UNMAR_CLANG)
      message(STATUS "engine 'cuda' is left out: no clang++ here")
      set(cuda OFF)
    endif()
  else()
    set(cuda OFF)
  endif()
elseif(cuda AND NOT UNMAR_CLANG)
  message(FATAL_ERROR "UNMAR_CUDA is ${cuda}, but there is no clang++ here; install clang")
endif()
set(UNMAR_CUDA_BUILT OFF CACHE INTERNAL "Whether the engine 'cuda' is built in")
if(NOT cuda)
  return()
endif()

set(UNMAR_CUDA_BUILT ON CACHE INTERNAL "Whether the engine 'cuda' is built in")
set(kernels ${CMAKE_CURRENT_LIST_DIR}/kernels)
file(GLOB kernel_files CONFIGURE_DEPENDS ${kernels}/*.h ${kernels}/*.cpp)
# PTX 7.0 for compute capability 8.0: drivers of CUDA 11 and newer, cards of RTX 30 and newer.
set(embedded)
foreach(module base others values products_fp32 products_tf32 products_bf16)
  string(REPLACE products_ "" name ${module})
  set(ptx ${CMAKE_CURRENT_BINARY_DIR}/${name}.ptx)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/ptx_${name}.cpp)
  add_custom_command(
    OUTPUT ${out}
    BYPRODUCTS ${ptx}
    COMMAND ${UNMAR_CLANG} -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 --cuda-path=/none
            -nocudainc -nocudalib -nostdinc -nostdinc++ -Xclang -target-feature -Xclang +ptx70
            -std=c++20 -O3 -mllvm -inline-threshold=100000 -Wall -Wextra -S
            -I ${PROJECT_SOURCE_DIR}/src ${kernels}/${module}.cpp -o ${ptx}
    COMMAND ${CMAKE_COMMAND} -DPTX=${ptx} -DNAME=${name} -DOUT=${out}
            -P ${CMAKE_CURRENT_LIST_DIR}/embed_ptx.cmake
    DEPENDS ${kernel_files} ${CMAKE_CURRENT_LIST_DIR}/embed_ptx.cmake
    COMMENT "Making PTX of the kernels: ${name}")
  list(APPEND embedded ${out})
endforeach()
target_sources(unmar_engine PRIVATE
  cuda/cuda_engine.cpp
  cuda/device.cpp
  cuda/device_params.cpp
  cuda/driver.cpp
  cuda/lower.cpp
  cuda/lower/attention.cpp
  cuda/lower/convolution.cpp
  cuda/lower/loss.cpp
  cuda/lower/norm.cpp
  cuda/lower/operands.cpp
  cuda/lower/products.cpp
  cuda/lower/pointwise.cpp
  cuda/lower/resampling.cpp
  cuda/lower/shared.cpp
  cuda/lower/storage.cpp
  cuda/passes.cpp
  cuda/profile.cpp
  cuda/program.cpp
  cuda/program_plan.cpp
  ${embedded})
set_source_files_properties(${embedded} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
target_compile_definitions(unmar_engine PRIVATE UNMAR_HAS_CUDA)
target_link_libraries(unmar_engine PRIVATE ${CMAKE_DL_LIBS})
