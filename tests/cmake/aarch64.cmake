# aarch64.cmake - CMake toolchain file: builds for 64-bit ARM with Debian's g++-aarch64-linux-gnu and runs what is built with
# Debian's qemu-user. Takes GoogleTest from its sources (Debian: googletest), since no compiled one for the target is packaged.
#
# The test preset leaves out what qemu-user 7.2 cannot show, and the real machine can: it takes MADV_WIPEONFORK, MADV_DONTFORK and
# MADV_POPULATE_WRITE without doing them (tests of the segment's backing and of a child's memory), has no RLIMIT_AS, no vDSO and a
# signal frame of its own, and the host's readelf does not read the target's files.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(sysroot /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${sysroot})

set(GTest_DIR ${CMAKE_CURRENT_LIST_DIR}/googletest CACHE PATH "Where find_package(GTest) looks")
