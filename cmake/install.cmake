# What `cmake --install` puts where: headers, one library, the command, and how CMake and
# pkg-config find them. Paths are relative where they can be, so that the folder can be
# moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY include/unmar TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(TARGETS unmar_cli RUNTIME)
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/unmar)
install(TARGETS unmar_shared EXPORT unmar LIBRARY
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# The library needs no other package to be found, so its targets are the whole configuration.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/unmar)
install(EXPORT unmar NAMESPACE unmar:: FILE unmarConfig.cmake DESTINATION ${package_dir})
write_basic_package_version_file(unmarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/unmarConfigVersion.cmake DESTINATION ${package_dir})

set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH up /${pkgconfig_dir} /)
  string(REGEX REPLACE "/$" "" up ${up})
  set(pc_prefix "\${pcfiledir}/${up}")
endif()
cmake_path(APPEND pc_libdir "\${prefix}" ${CMAKE_INSTALL_LIBDIR})  # as it is if absolute
cmake_path(APPEND pc_includedir "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
configure_file(cmake/unmar.pc.in unmar.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/unmar.pc DESTINATION ${pkgconfig_dir})
