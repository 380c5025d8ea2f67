// permanent_images.cc - see permanent_images.h.
#include "liballoc/profile/permanent_images.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstring>

namespace liballoc {

namespace {

constexpr unsigned kMostImages = 64;  // of a program with more the others are not looked at: a start must stay cheap

void note(uintptr_t in_image) {
  UnwindModule image;
  if (g_permanent_count == kPermanentImages || permanent_image(in_image) != nullptr) return;
  if (!find_permanent_module(in_image, &image)) return;
  g_permanent_images[g_permanent_count++] = image;
}

// An image's strings. The loader has made the address absolute in most images, but not in those that it must not write to.
const char* strings_of(const link_map& image) {
  for (const ElfW(Dyn)* d = image.l_ld; d != nullptr && d->d_tag != DT_NULL; d++) {
    if (d->d_tag != DT_STRTAB) continue;
    const uintptr_t at = d->d_un.d_ptr;
    return reinterpret_cast<const char*>(at < image.l_addr ? at + image.l_addr : at);
  }
  return nullptr;
}

// What an image is asked for by; null: by its file name, and then it is not known here.
const char* soname_of(const link_map& image) {
  const char* const strings = strings_of(image);
  if (strings == nullptr) return nullptr;
  for (const ElfW(Dyn)* d = image.l_ld; d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_SONAME) return strings + d->d_un.d_val;
  }
  return nullptr;
}

bool is_linked_with(const link_map& program, const char* strings, const char* soname) {
  for (const ElfW(Dyn)* d = program.l_ld; d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_NEEDED && strcmp(strings + d->d_un.d_val, soname) == 0) return true;
  }
  return false;
}

}  // namespace

constinit UnwindModule g_permanent_images[kPermanentImages] = {};
constinit unsigned g_permanent_count = 0;

void note_permanent_images() {
  note(reinterpret_cast<uintptr_t>(&find_unwind_module));
  const auto in_program = static_cast<uintptr_t>(getauxval(AT_PHDR));
  note(in_program);
  note(reinterpret_cast<uintptr_t>(&getauxval));
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(in_program), &found) != 0 || found.dlfo_link_map == nullptr) return;
  const link_map& program = *found.dlfo_link_map;
  const char* const strings = strings_of(program);
  if (strings == nullptr) return;  // linked statically
  const link_map* image = program.l_next;
  for (unsigned n = 0; image != nullptr && n < kMostImages; n++, image = image->l_next) {
    const char* const soname = soname_of(*image);
    if (soname != nullptr && is_linked_with(program, strings, soname)) note(reinterpret_cast<uintptr_t>(image->l_ld));
  }
}

}  // namespace liballoc
