// elf_image.h - one ELF file opened for reading: its build id, segments, sections, its name for a
// debug file.
//
// The file is read, never mapped: a file that shrinks meanwhile gives an error, not SIGBUS. Offsets
// and sizes go through libelf, which checks them against the file. Not thread-safe; movable, closes
// what it owns.
#pragma once

#include <libelf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/unique_fd.h"

namespace liballoc::agent {

struct LoadSegment {  // of a PT_LOAD
  uint64_t file_offset, file_bytes, address;
};

class ElfImage {
 public:
  // Null when the file is missing, unreadable, not a regular file or not a 64-bit or 32-bit ELF
  // file of this machine.
  [[nodiscard]] static std::unique_ptr<ElfImage> open(const std::string& path);
  // An image in memory, which must outlive the ElfImage.
  [[nodiscard]] static std::unique_ptr<ElfImage> from_memory(std::string& bytes);

  ElfImage(const ElfImage&) = delete;
  ElfImage& operator=(const ElfImage&) = delete;
  ~ElfImage();

  [[nodiscard]] Elf* elf() const { return elf_; }
  [[nodiscard]] std::string build_id() const;  // lowercase hex, "" = none
  [[nodiscard]] std::string debug_link()
      const;  // .gnu_debuglink: a file name without slash, "" = none
  [[nodiscard]] std::vector<LoadSegment> load_segments() const;
  // The section of this name, null when there is none or it has no bytes in the file.
  [[nodiscard]] Elf_Scn* section(std::string_view name) const;
  // Sum of the sizes that sections with this name prefix have in memory, uncompressed; saturates.
  [[nodiscard]] uint64_t section_bytes(std::string_view prefix) const;

 private:
  ElfImage(UniqueFd fd, Elf* elf) : fd_(std::move(fd)), elf_(elf) {}

  UniqueFd fd_;
  Elf* elf_;
};

}  // namespace liballoc::agent
