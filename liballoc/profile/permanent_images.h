// permanent_images.h - the images that cannot be unloaded while this code runs: a walk need not look whether they are what they were.
// No lock, no allocation.
#pragma once

#include "liballoc/profile/unwind_module.h"

namespace liballoc {

// Notes them: this library's own, the program, libc, and what the program itself was linked with, which the loader keeps as long
// as the program. Before that none is held to be permanent. Once, while there is one thread.
void note_permanent_images();

inline constexpr unsigned kPermanentImages = 12;  // the program's libraries beyond that are treated as any other
extern constinit UnwindModule g_permanent_images[kPermanentImages];
extern constinit unsigned g_permanent_count;

// The permanent image at pc, or null. The loader is not asked.
inline const UnwindModule* permanent_image(uintptr_t pc) {
  for (unsigned i = 0; i < g_permanent_count; i++) {
    if (g_permanent_images[i].contains(pc)) return &g_permanent_images[i];
  }
  return nullptr;
}

}  // namespace liballoc
