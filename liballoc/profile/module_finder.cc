// module_finder.cc - see module_finder.h. Reads the headers of a loaded image as one reads a file
// of unknown origin: each range is checked against the memory that the loader says the image
// covers.
#include "liballoc/profile/module_finder.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstddef>
#include <cstring>

#include "liballoc/base/bits.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/profile/readable.h"

namespace liballoc {

namespace {

struct Image {
  uintptr_t start, end;  // mapped range, gaps included
  uintptr_t bias;
  const ElfW(Phdr) * headers;
  size_t header_count;
};

// Program headers that lie, like the ELF header, in the first page of the image: those of every
// usual file.
bool read_headers(Image* image) {
  const size_t page = system_page_bytes();
  if (image->end - image->start < page || !readable(image->start)) return false;
  ElfW(Ehdr) elf;
  memcpy(&elf, reinterpret_cast<const void*>(image->start), sizeof(elf));
  if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  if (elf.e_phentsize != sizeof(ElfW(Phdr)) || elf.e_phoff % alignof(ElfW(Phdr)) != 0) return false;
  if (elf.e_phoff > page || elf.e_phnum > (page - elf.e_phoff) / sizeof(ElfW(Phdr))) return false;
  image->headers = reinterpret_cast<const ElfW(Phdr)*>(image->start + elf.e_phoff);
  image->header_count = elf.e_phnum;
  return true;
}

// [at, at + bytes) lies in file-backed bytes of one readable PT_LOAD.
bool in_readable_segment(const Image& image, uintptr_t at, size_t bytes) {
  if (at < image.start || at > image.end || bytes > image.end - at) return false;
  for (size_t i = 0; i < image.header_count; i++) {
    const ElfW(Phdr)& load = image.headers[i];
    if (load.p_type != PT_LOAD || (load.p_flags & PF_R) == 0) continue;
    const uintptr_t offset = at - (image.bias + load.p_vaddr);
    if (offset <= load.p_filesz && bytes <= load.p_filesz - offset) return true;
  }
  return false;
}

void read_build_id(const Image& image, FoundModule* out) {
  for (size_t i = 0; i < image.header_count; i++) {
    const ElfW(Phdr)& notes = image.headers[i];
    const uintptr_t begin = image.bias + notes.p_vaddr;
    if (notes.p_type != PT_NOTE || !in_readable_segment(image, begin, notes.p_filesz)) continue;
    const size_t align = notes.p_align == 8 ? 8 : 4;
    for (size_t at = 0; notes.p_filesz - at >= sizeof(ElfW(Nhdr));) {
      ElfW(Nhdr) note;
      memcpy(&note, reinterpret_cast<const void*>(begin + at), sizeof(note));
      at += sizeof(note);
      const size_t name_bytes = align_up(note.n_namesz, align),
                   id_bytes = align_up(note.n_descsz, align);
      if (name_bytes > notes.p_filesz - at || note.n_descsz > notes.p_filesz - at - name_bytes)
        break;
      const auto* const name = reinterpret_cast<const char*>(begin + at);
      const auto* const id = reinterpret_cast<const char*>(begin + at + name_bytes);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
          memcmp(name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
          note.n_descsz <= sizeof(out->build_id)) {
        memcpy(out->build_id, id, note.n_descsz);
        out->build_id_bytes = note.n_descsz;
        return;
      }
      if (id_bytes > notes.p_filesz - at - name_bytes) break;
      at += name_bytes + id_bytes;
    }
  }
}

// The executable PT_LOAD around pc, in whole pages as the kernel maps it.
bool read_segment(const Image& image, uintptr_t pc, FoundModule* out) {
  const size_t page = system_page_bytes();
  for (size_t i = 0; i < image.header_count; i++) {
    const ElfW(Phdr)& load = image.headers[i];
    if (load.p_type != PT_LOAD || (load.p_flags & PF_X) == 0) continue;
    const uintptr_t begin = image.bias + load.p_vaddr;
    if (pc < begin || pc - begin >= load.p_memsz) continue;
    const uintptr_t into_page = begin % page;
    out->start = begin - into_page;
    out->end = align_up(begin + load.p_memsz, page);
    out->file_offset = load.p_offset - into_page;
    return true;
  }
  return false;
}

void set_path(const char* path, FoundModule* out) {
  const size_t length = strnlen(path, sizeof(out->path) - 1);
  memcpy(out->path, path, length);
  out->path[length] = '\0';
  out->path_bytes = static_cast<uint32_t>(length);
}

}  // namespace

bool find_module(uintptr_t pc, FoundModule* out) {
  memset(out, 0, sizeof(*out));
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return false;
  Image image = {reinterpret_cast<uintptr_t>(object.dlfo_map_start),
                 reinterpret_cast<uintptr_t>(object.dlfo_map_end), object.dlfo_link_map->l_addr,
                 nullptr, 0};
  out->load_bias = image.bias;
  if (!read_headers(&image) || !read_segment(image, pc, out)) {
    // The range is still right for looking the file up by its path.
    out->start = image.start;
    out->end = image.end;
  }
  read_build_id(image, out);
  const int saved_errno = errno;  // a machine without a vDSO is none of the program's errors
  const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
  errno = saved_errno;
  if (vdso != 0 && vdso == image.start)
    set_path("[vdso]", out);
  else
    set_path(object.dlfo_link_map->l_name, out);
  return true;
}

}  // namespace liballoc
