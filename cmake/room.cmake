# unmar_room(NAME SOURCES a.cpp b.cpp LINKS room room PRIVATE_LINKS lib lib)
#
# One room = one folder below src/ = one static library unmar_NAME. LINKS are the rooms to its left; a room can include only what it links.
# scripts/check_rooms.py holds the same rule for includes.
function(unmar_room NAME)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(unmar_${NAME} STATIC ${ROOM_SOURCES})
  target_include_directories(unmar_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                           PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(unmar_${NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # also goes into libunmar.so
  set_property(GLOBAL APPEND PROPERTY UNMAR_ROOMS unmar_${NAME})
  list(TRANSFORM ROOM_LINKS PREPEND unmar_)
  target_link_libraries(unmar_${NAME} PUBLIC ${ROOM_LINKS} PRIVATE fmt::fmt ${ROOM_PRIVATE_LINKS})
endfunction()
