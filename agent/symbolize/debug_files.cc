// debug_files.cc - see debug_files.h.
#include "agent/symbolize/debug_files.h"

#include <algorithm>

namespace liballoc::agent {

bool is_build_id(std::string_view build_id) {
  return build_id.size() >= 6 && build_id.size() % 2 == 0 &&
         std::all_of(build_id.begin(), build_id.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::unique_ptr<ElfImage> DebugFiles::open_verified(const std::string& path,
                                                    const std::string& build_id) {
  std::unique_ptr<ElfImage> image = ElfImage::open(paths_.root + path);
  if (image == nullptr) return nullptr;
  ++files_opened_;
  return image->build_id() == build_id ? std::move(image) : nullptr;
}

std::unique_ptr<ElfImage> DebugFiles::open_by_build_id(const std::string& build_id) {
  for (const std::string& directory : paths_.debug_directories) {
    std::string path =
        directory + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
    if (std::unique_ptr<ElfImage> image = open_verified(path, build_id)) return image;
  }
  return nullptr;
}

std::unique_ptr<ElfImage> DebugFiles::open_module(const std::string& path,
                                                  const std::string& build_id) {
  if (path.empty() || path[0] != '/' || !is_build_id(build_id)) return nullptr;
  return open_verified(path, build_id);
}

std::unique_ptr<ElfImage> DebugFiles::open_debug(const ElfImage* module, const std::string& path,
                                                 const std::string& build_id) {
  if (!is_build_id(build_id)) return nullptr;
  if (std::unique_ptr<ElfImage> image = open_by_build_id(build_id)) return image;
  const std::string link = module == nullptr ? "" : module->debug_link();
  const size_t slash = path.rfind('/');
  if (link.empty() || slash == std::string::npos) return nullptr;
  const std::string directory = path.substr(0, slash + 1);
  std::vector<std::string> candidates = {directory + link, directory + ".debug/" + link};
  for (const std::string& debug : paths_.debug_directories) {
    candidates.push_back(debug + directory + link);
  }
  for (const std::string& candidate : candidates) {
    if (candidate == path) continue;
    if (std::unique_ptr<ElfImage> image = open_verified(candidate, build_id)) return image;
  }
  return nullptr;
}

std::unique_ptr<ElfImage> DebugFiles::open_alternate(const std::string& build_id,
                                                     const std::string& path) {
  if (!is_build_id(build_id)) return nullptr;
  if (std::unique_ptr<ElfImage> image = open_by_build_id(build_id)) return image;
  return path.empty() || path[0] != '/' ? nullptr : open_verified(path, build_id);
}

}  // namespace liballoc::agent
