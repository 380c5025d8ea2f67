// elf_image.cc - see elf_image.h.
#include "agent/symbolize/elf_image.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <span>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

bool is_native(Elf* elf) {
  GElf_Ehdr header;
  if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == nullptr) return false;
  constexpr unsigned char kNativeOrder =
      __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  return header.e_ident[EI_DATA] == kNativeOrder;
}

// Calls visit(section, header, name) for each section until it returns true; that section, or null.
template <typename Visit>
Elf_Scn* find_section(Elf* elf, Visit visit) {
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return nullptr;
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(scn, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name != nullptr && visit(scn, header, std::string_view(name))) return scn;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<ElfImage> ElfImage::open(const std::string& path) {
  elf_version(EV_CURRENT);
  // O_NONBLOCK: the path is another process's word, and may name a FIFO by now.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status = {};
  if (!fd.valid() || fstat(fd.value(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  Elf* elf = elf_begin(fd.value(), ELF_C_READ, nullptr);
  std::unique_ptr<ElfImage> image(new ElfImage(std::move(fd), elf));
  return elf != nullptr && is_native(elf) ? std::move(image) : nullptr;
}

std::unique_ptr<ElfImage> ElfImage::from_memory(std::string& bytes) {
  elf_version(EV_CURRENT);
  Elf* elf = elf_memory(bytes.data(), bytes.size());
  std::unique_ptr<ElfImage> image(new ElfImage(UniqueFd(), elf));
  return elf != nullptr && is_native(elf) ? std::move(image) : nullptr;
}

ElfImage::~ElfImage() { elf_end(elf_); }

std::string ElfImage::build_id() const {
  const void* bytes = nullptr;
  const ssize_t n = dwelf_elf_gnu_build_id(elf_, &bytes);
  if (n <= 0) return "";
  return to_hex(std::span(static_cast<const uint8_t*>(bytes), static_cast<size_t>(n)));
}

std::string ElfImage::debug_link() const {
  GElf_Word crc = 0;
  const char* name = dwelf_elf_gnu_debuglink(elf_, &crc);
  if (name == nullptr) return "";
  const std::string_view link(name);
  return link.find('/') == std::string_view::npos ? std::string(link) : "";
}

std::vector<LoadSegment> ElfImage::load_segments() const {
  std::vector<LoadSegment> segments;
  size_t count = 0;
  if (elf_getphdrnum(elf_, &count) != 0) return segments;
  for (size_t i = 0; i < count && i < INT32_MAX; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_, static_cast<int>(i), &segment) == nullptr) break;
    if (segment.p_type != PT_LOAD) continue;
    segments.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr});
  }
  return segments;
}

Elf_Scn* ElfImage::section(std::string_view wanted) const {
  return find_section(
      elf_, [&](Elf_Scn*, const GElf_Shdr&, std::string_view name) { return name == wanted; });
}

uint64_t ElfImage::section_bytes(std::string_view prefix) const {
  uint64_t sum = 0;
  find_section(elf_, [&](Elf_Scn* scn, const GElf_Shdr& header, std::string_view name) {
    if (!name.starts_with(prefix)) return false;
    uint64_t bytes = header.sh_size;
    GElf_Chdr compressed;
    if ((header.sh_flags & SHF_COMPRESSED) != 0 && gelf_getchdr(scn, &compressed) != nullptr) {
      bytes = compressed.ch_size;
    }
    if (__builtin_add_overflow(sum, bytes, &sum)) sum = UINT64_MAX;
    return false;
  });
  return sum;
}

}  // namespace liballoc::agent
