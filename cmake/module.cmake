# unmar_module(NAME [QUICK] [JSON] SOURCES a.cpp b.cpp LINKS module module PRIVATE_LINKS lib lib)
#
# One module = one folder below src/ = one static library unmar_NAME. LINKS are the modules to its left; a module can include only what it links.
# scripts/check_modules.py holds the same rule for includes. QUICK: compiled quickly, as its speed
# does not matter; JSON: most of its files include nlohmann/json.hpp.
function(unmar_module NAME)
  cmake_parse_arguments(MODULE "QUICK;JSON" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(unmar_${NAME} STATIC ${MODULE_SOURCES})
  target_include_directories(unmar_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                           PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(unmar_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # also goes into libunmar.so
  set_property(GLOBAL APPEND PROPERTY UNMAR_MODULES unmar_${NAME})
  list(TRANSFORM MODULE_LINKS PREPEND unmar_)
  target_link_libraries(unmar_${NAME} PUBLIC ${MODULE_LINKS} PRIVATE fmt::fmt ${MODULE_PRIVATE_LINKS})
  if(MODULE_JSON)
    target_link_libraries(unmar_${NAME} PRIVATE nlohmann_json::nlohmann_json)
  endif()
  set(precompiled modules)
  if(MODULE_QUICK)
    target_compile_options(unmar_${NAME} PRIVATE ${UNMAR_QUICK_OPTIONS})
    string(APPEND precompiled _quick)
  endif()
  if(MODULE_JSON)
    string(APPEND precompiled _json)
  endif()
  unmar_use_precompiled(unmar_${NAME} ${precompiled})
endfunction()
