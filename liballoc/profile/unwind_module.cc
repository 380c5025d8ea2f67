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

// All but the fingerprint's share of the header, and whether the image is permanent.
bool locate(uintptr_t pc, UnwindModule* out, uint64_t* hash) {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return false;
  out->start = reinterpret_cast<uintptr_t>(object.dlfo_map_start);
  out->end = reinterpret_cast<uintptr_t>(object.dlfo_map_end);
  out->header = reinterpret_cast<uintptr_t>(object.dlfo_eh_frame);
  out->fingerprint = 0;
  out->permanent = false;
  if (!out->contains(out->header, kUnwindHeaderBytes)) out->header = 0;
  *hash = mix(mix(mix(out->header, out->start), out->end), reinterpret_cast<uintptr_t>(object.dlfo_link_map));
  return true;
}

}  // namespace

bool find_permanent_module(uintptr_t pc, UnwindModule* out) {
  uint64_t hash = 0;
  if (!locate(pc, out, &hash)) return false;
  out->fingerprint = static_cast<uint32_t>(hash);
  out->permanent = true;
  return true;
}

bool find_unwind_module(uintptr_t pc, UnwindModule* out) {
  uint64_t hash = 0;
  if (!locate(pc, out, &hash)) return false;
  if (out->header == 0) return true;
  // Format, place of .eh_frame, number of functions, place and table of the first one.
  uint64_t words[2];
  memcpy(words, reinterpret_cast<const void*>(out->header), sizeof(words));
  out->fingerprint = static_cast<uint32_t>(mix(mix(hash, words[0]), words[1]));
  const UnwindModule* const known = permanent_image(pc);
  out->permanent = known != nullptr && known->start == out->start;
  return true;
}

}  // namespace liballoc
