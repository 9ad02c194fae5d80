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
  # For src/ and apps/: a number that becomes a narrower one says so. Between signed and unsigned
  # ones of a width nothing is lost that the tests with sanitizers do not see.
  set(UNMAR_STRICT_OPTIONS -Wconversion -Wno-sign-conversion)
endif()
if(UNMAR_SANITIZE STREQUAL address)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(UNMAR_SANITIZE STREQUAL thread)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(UNMAR_SANITIZE)
  message(FATAL_ERROR "UNMAR_SANITIZE is '${UNMAR_SANITIZE}'; set it to address, thread or OFF")
endif()
if(UNMAR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# For code whose speed nobody notices: a release compiles it for half of what -O3 takes.
# There GCC 12 warns of bounds that std::string keeps.
set(UNMAR_QUICK_OPTIONS $<$<CONFIG:Release>:-O1>
    $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-Wno-array-bounds>)
