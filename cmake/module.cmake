# unmar_module(NAME [QUICK] SOURCES a.cpp b.cpp [ALONE c.cpp ...] LINKS module ... PRIVATE_LINKS lib ...)
#
# One module = one folder below src/ = one static library unmar_NAME. LINKS are the modules to its
# left; a module can include only what it links, which scripts/check_modules.py holds, too. QUICK:
# compiled quickly, as its speed does not matter. ALONE: sources that are never compiled together
# with others; those that Highway compiles once for each instruction set.
function(unmar_module NAME)
  cmake_parse_arguments(MODULE "QUICK" "" "SOURCES;ALONE;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(unmar_${NAME} STATIC ${MODULE_SOURCES} ${MODULE_ALONE})
  set_source_files_properties(${MODULE_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(unmar_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                           PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(unmar_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # also goes into libunmar.so
  set_property(GLOBAL APPEND PROPERTY UNMAR_MODULES unmar_${NAME})
  list(TRANSFORM MODULE_LINKS PREPEND unmar_)
  target_link_libraries(unmar_${NAME} PUBLIC ${MODULE_LINKS} PRIVATE fmt::fmt ${MODULE_PRIVATE_LINKS})
  target_compile_options(unmar_${NAME} PRIVATE ${UNMAR_STRICT_OPTIONS})
  if(MODULE_QUICK)
    target_compile_options(unmar_${NAME} PRIVATE ${UNMAR_QUICK_OPTIONS})
  endif()
endfunction()
