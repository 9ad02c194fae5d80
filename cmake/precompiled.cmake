# Precompiled headers: the headers of other projects that most files include, parsed once for all
# files with the same flags. They hold nothing of Unmar, so no change in this tree makes them stale,
# and only what each user links anyway. Every file still includes what it uses;
# scripts/check_modules.py and a build with UNMAR_PCH=OFF see to that.

# unmar_precompile(NAME HEADER [LINKS lib ...] [OPTIONS flag ...] [PIC]) makes target pch_NAME, for
# target_precompile_headers(... REUSE_FROM pch_NAME) by targets with the same flags.
function(unmar_precompile NAME HEADER)
  if(NOT UNMAR_PCH)
    return()
  endif()
  cmake_parse_arguments(PCH "PIC" "" "LINKS;OPTIONS" ${ARGN})
  file(WRITE ${PROJECT_BINARY_DIR}/pch/${NAME}.cpp "// Makes CMake build a precompiled header.\n")
  add_library(pch_${NAME} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/pch/${NAME}.cpp)
  target_precompile_headers(pch_${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch/${HEADER})
  target_link_libraries(pch_${NAME} PRIVATE ${PCH_LINKS})
  target_compile_options(pch_${NAME} PRIVATE ${PCH_OPTIONS})
  if(PCH_PIC)
    set_target_properties(pch_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endfunction()

# unmar_use_precompiled(TARGET NAME)
function(unmar_use_precompiled TARGET NAME)
  if(UNMAR_PCH)
    target_precompile_headers(${TARGET} REUSE_FROM pch_${NAME})
  endif()
endfunction()

unmar_precompile(modules modules.h LINKS fmt::fmt PIC)
unmar_precompile(modules_quick modules.h LINKS fmt::fmt OPTIONS ${UNMAR_QUICK_OPTIONS} PIC)
unmar_precompile(modules_quick_json modules_json.h LINKS fmt::fmt nlohmann_json::nlohmann_json
                 OPTIONS ${UNMAR_QUICK_OPTIONS} PIC)
unmar_precompile(cli cli.h LINKS fmt::fmt nlohmann_json::nlohmann_json CLI11::CLI11
                 OPTIONS ${UNMAR_QUICK_OPTIONS})
if(UNMAR_TESTS)
  unmar_precompile(tests tests.h LINKS fmt::fmt GTest::gmock OPTIONS ${UNMAR_QUICK_OPTIONS})
endif()
