// debug_files.h - where the files of a build id are: the module's own path, and the places for
// separate debug files.
//
// A file is an answer only when its own build id is the one asked for. Must never guess by name
// alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/symbolize/elf_image.h"

namespace liballoc::agent {

struct SymbolPaths {
  // Put before every path, for files of another mount namespace: "/proc/PID/root". "" = this one.
  std::string root;
  // Where separate debug files are installed.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
};

class DebugFiles {
 public:
  explicit DebugFiles(SymbolPaths paths) : paths_(std::move(paths)) {}

  // The file at `path`, null unless it has this build id.
  [[nodiscard]] std::unique_ptr<ElfImage> open_module(const std::string& path,
                                                      const std::string& build_id);
  // The separate debug file: by build id, else by the .gnu_debuglink of `module` (may be null),
  // which is at `path`.
  [[nodiscard]] std::unique_ptr<ElfImage> open_debug(const ElfImage* module,
                                                     const std::string& path,
                                                     const std::string& build_id);
  // The file of entries shared by several debug files (dwz): by build id, else by its path.
  [[nodiscard]] std::unique_ptr<ElfImage> open_alternate(const std::string& build_id,
                                                         const std::string& path);

  [[nodiscard]] uint64_t files_opened() const { return files_opened_; }

 private:
  [[nodiscard]] std::unique_ptr<ElfImage> open_verified(const std::string& path,
                                                        const std::string& build_id);
  [[nodiscard]] std::unique_ptr<ElfImage> open_by_build_id(const std::string& build_id);

  SymbolPaths paths_;
  uint64_t files_opened_ = 0;
};

// At least three bytes in lowercase hex: what is shorter does not identify a file, and anything
// else could be a path.
[[nodiscard]] bool is_build_id(std::string_view build_id);

}  // namespace liballoc::agent
