// config.h - the environment variables of the library, read once at start-up. Unknown or malformed ones are named on stderr
// once and ignored. Never allocates; keeps pointers into the environment only where it says so.
#pragma once

#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc {

inline constexpr uint64_t kDefaultSampleRate = 512 * 1024;

struct Config {
  bool telemetry = LIBALLOC_BARE == 0;
  bool keep_segment = false;
  bool verbose = false;
  bool scavenge_thread = false;  // idle memory is returned by a thread of our own
  bool sbrk = false;  // debug: nothing is used again
  bool check = false;  // every malloc and free takes its slow path, where everything is checked at once
  uint64_t sample_rate = kDefaultSampleRate;  // mean bytes between samples; 0 = off, 1 = every allocation
  uint64_t soft_limit = 0;                    // bytes; 0 = none
  char shm_dir[256] = "/dev/shm";
  char service[128] = "";
};

// `environment` as in environ(7), may be null. `complain` gets one line per problem.
void parse_config(const char* const* environment, Config* config, void (*complain)(const char* line));

}  // namespace liballoc
