# packages.sh - the one list of Debian 12 packages that scripts/ need, and how they are installed.
# Sourced by scripts/demo and scripts/test. Never starts a service and never removes one.
# shellcheck shell=bash disable=SC2034

# To compile the library, the agent and allocctl.
LIBALLOC_PACKAGES_BUILD=(
  cmake ninja-build ccache g++ pkg-config
  libgrpc++-dev libgrpc-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  prometheus-cpp-dev libboost1.81-dev libcli11-dev libssl-dev zlib1g-dev libdw-dev libelf-dev
)
# To show it: a real server, its load generator, and the pprof that reads heap profiles.
LIBALLOC_PACKAGES_DEMO=(redis-server redis-tools golang-go python3)
# To test it: sanitizers, test libraries, and every program that is run under the allocator.
LIBALLOC_PACKAGES_TEST=(
  clang libclang-rt-14-dev libgtest-dev libgmock-dev libbenchmark-dev binutils python3 python3-grpcio python3-protobuf golang-go
  redis-server redis-tools sqlite3 perl lua5.4 git nginx spin postgresql-15 prometheus jsonnet util-linux xz-utils
)
# For scripts/test --full besides: programs that are run under load, and the cross compiler with its emulator.
LIBALLOC_PACKAGES_FULL=(
  wrk memcached nodejs z3 ffmpeg openssl stress-ng libpython3.11-testsuite
  g++-aarch64-linux-gnu qemu-user
)
# To compare it: the other allocators, and the programs that are run under all of them.
LIBALLOC_PACKAGES_BENCH=(
  libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libtbbmalloc2 libgtest-dev libgmock-dev libbenchmark-dev
  python3 redis-server redis-tools sqlite3 lua5.4 z3 g++ valgrind
)

# package_is_installed NAME
package_is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# as_root COMMAND...: runs it as root, by sudo where needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    echo "error: '$*' must run as root and there is no sudo; run this script as root" >&2
    return 1
  fi
}

# install_packages NAME...: installs what is missing; does nothing and needs no rights when nothing is.
install_packages() {
  local missing=() name policy=/usr/sbin/policy-rc.d rc=0
  for name in "$@"; do
    package_is_installed "$name" || missing+=("$name")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null 2>&1 || {
    echo "error: these Debian packages are missing and there is no apt-get: ${missing[*]}" >&2
    return 1
  }
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  as_root apt-get update -q || return 1
  # Servers are wanted as programs, not as services: keep their packages from starting them.
  local made_policy=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
    made_policy=1
    # shellcheck disable=SC2064
    trap "as_root rm -f $policy" EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null || rc=1
  if [ "$made_policy" -eq 1 ]; then
    as_root rm -f "$policy"
    trap - EXIT
  fi
  return "$rc"
}
