# GTestConfig.cmake - what find_package(GTest) finds where no compiled GoogleTest for the target exists: builds it from
# Debian's package googletest. Never installs anything.
if(TARGET GTest::gtest)
  return()
endif()
set(GTEST_SOURCE_DIR /usr/src/googletest CACHE PATH "GoogleTest's sources (Debian: googletest)")
if(NOT EXISTS ${GTEST_SOURCE_DIR}/CMakeLists.txt)
  message(FATAL_ERROR "no GoogleTest sources in '${GTEST_SOURCE_DIR}': install Debian's package googletest or set "
    "GTEST_SOURCE_DIR to a directory with GoogleTest's CMakeLists.txt")
endif()
set(INSTALL_GTEST OFF)
set(BUILD_GMOCK ON)
add_subdirectory(${GTEST_SOURCE_DIR} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
# Its headers are no business of our warnings.
foreach(target gtest gtest_main gmock gmock_main)
  get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${directories}")
endforeach()
set(GTest_FOUND TRUE)
