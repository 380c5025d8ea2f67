# build.sh - configures and builds a preset for scripts/demo and scripts/test, quietly unless something is wrong.
# Writes below build/ only: build/<preset> and the logs build/<preset>.{configure,build}.log.
# shellcheck shell=bash

# configure_preset PRESET [CMAKE ARGUMENT...]
configure_preset() {
  local preset=$1 log="build/$1.configure.log"
  shift
  mkdir -p build
  # What a checkout in another place has left would stop CMake.
  if [ -f "build/$preset/CMakeCache.txt" ] &&
    ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "build/$preset/CMakeCache.txt"; then
    rm -rf "build/$preset"
  fi
  # The lock is for two scripts that run at the same time in one checkout.
  flock build cmake --preset "$preset" "$@" >"$log" 2>&1 && return 0
  tail -n 60 "$log"
  return 1
}

# build_preset PRESET [TARGET...]: everything, or these targets.
build_preset() {
  local preset=$1 log="build/$1.build.log" targets=()
  shift
  [ $# -eq 0 ] || targets=(--target "$@")
  flock build cmake --build "build/$preset" "${targets[@]}" >"$log" 2>&1 && return 0
  grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Generating)' "$log" | tail -n 60
  return 1
}
