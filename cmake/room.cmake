# unmar_room(NAME [QUICK] [JSON] SOURCES a.cpp b.cpp LINKS room room PRIVATE_LINKS lib lib)
#
# One room = one folder below src/ = one static library unmar_NAME. LINKS are the rooms to its left; a room can include only what it links.
# scripts/check_rooms.py holds the same rule for includes. QUICK: compiled quickly, as its speed
# does not matter; JSON: most of its files include nlohmann/json.hpp.
function(unmar_room NAME)
  cmake_parse_arguments(ROOM "QUICK;JSON" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(unmar_${NAME} STATIC ${ROOM_SOURCES})
  target_include_directories(unmar_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                           PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(unmar_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # also goes into libunmar.so
  set_property(GLOBAL APPEND PROPERTY UNMAR_ROOMS unmar_${NAME})
  list(TRANSFORM ROOM_LINKS PREPEND unmar_)
  target_link_libraries(unmar_${NAME} PUBLIC ${ROOM_LINKS} PRIVATE fmt::fmt ${ROOM_PRIVATE_LINKS})
  if(ROOM_JSON)
    target_link_libraries(unmar_${NAME} PRIVATE nlohmann_json::nlohmann_json)
  endif()
  set(precompiled modules)
  if(ROOM_QUICK)
    target_compile_options(unmar_${NAME} PRIVATE ${UNMAR_QUICK_OPTIONS})
    string(APPEND precompiled _quick)
  endif()
  if(ROOM_JSON)
    string(APPEND precompiled _json)
  endif()
  unmar_use_precompiled(unmar_${NAME} ${precompiled})
endfunction()
