// unwind_module.cc - see unwind_module.h.
#include "liballoc/profile/unwind_module.h"

#include <dlfcn.h>

#include <cstring>

#include "liballoc/profile/permanent_images.h"

namespace liballoc {

namespace {

uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25;
  return hash ^ (hash >> 32);
}

}  // namespace

bool find_unwind_module(uintptr_t pc, UnwindModule* out) {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return false;
  out->start = reinterpret_cast<uintptr_t>(object.dlfo_map_start);
  out->end = reinterpret_cast<uintptr_t>(object.dlfo_map_end);
  out->header = reinterpret_cast<uintptr_t>(object.dlfo_eh_frame);
  out->fingerprint = 0;
  out->permanent = false;
  if (out->header == 0 || !out->contains(out->header, kUnwindHeaderBytes)) {
    out->header = 0;
    return true;
  }
  // Format, place of .eh_frame, number of functions, place and table of the first one.
  uint64_t words[2];
  memcpy(words, object.dlfo_eh_frame, sizeof(words));
  uint64_t hash = mix(out->header, out->start);
  hash = mix(hash, out->end);
  hash = mix(hash, reinterpret_cast<uintptr_t>(object.dlfo_link_map));
  hash = mix(hash, words[0]);
  hash = mix(hash, words[1]);
  out->fingerprint = static_cast<uint32_t>(hash);
  const UnwindModule* const known = permanent_image(pc);
  out->permanent = known != nullptr && known->start == out->start;
  return true;
}

}  // namespace liballoc
