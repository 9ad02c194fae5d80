# What is installed, used from outside; tests/package/ is a project of its own.
include(GNUInstallDirs)
set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/package)
set(work ${CMAKE_CURRENT_BINARY_DIR}/package)
set(prefix ${work}/prefix)

add_test(NAME package/install
  COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR} -DWORK=${work} -P ${scripts}/install.cmake)
add_test(NAME package/cmake
  COMMAND ${CMAKE_CTEST_COMMAND}
    --build-and-test ${scripts} ${work}/build
    --build-generator ${CMAKE_GENERATOR}
    --build-options -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
    --test-command ${work}/build/restore_tiny)
add_test(NAME package/pkg_config
  COMMAND ${CMAKE_COMMAND} -DPREFIX=${prefix} -DLIBDIR=${CMAKE_INSTALL_LIBDIR}
    -DCOMPILER=${CMAKE_CXX_COMPILER} -DPKG_CONFIG=${PKG_CONFIG_EXECUTABLE} -P ${scripts}/pkg_config.cmake)
add_test(NAME package/command COMMAND ${prefix}/${CMAKE_INSTALL_BINDIR}/unmar --version)
# With the model that is installed.
add_test(NAME package/model
  COMMAND ${prefix}/${CMAKE_INSTALL_BINDIR}/unmar ddpm sample -n 1 --steps 2 -o ${work}/sample.png)
set_tests_properties(package/install PROPERTIES FIXTURES_SETUP package)
set_tests_properties(package/cmake package/pkg_config package/command package/model PROPERTIES
  FIXTURES_REQUIRED package TIMEOUT 300)
set_tests_properties(package/command PROPERTIES PASS_REGULAR_EXPRESSION "${PROJECT_VERSION}")
