# One place for compiler options.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra)
# Position-independent code would otherwise not inline functions that another library could replace.
add_compile_options(-fno-semantic-interposition)
if(UNMAR_WERROR)
  add_compile_options(-Werror)
endif()
if(UNMAR_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
