// allocator_frames.cc - see allocator_frames.h.
#include "agent/pprof/allocator_frames.h"

#include <array>

namespace liballoc::agent {
namespace {

constexpr std::array<std::string_view, 9> kMallocNames = {
    "malloc",   "calloc",         "realloc", "reallocarray", "aligned_alloc",
    "memalign", "posix_memalign", "valloc",  "pvalloc"};

// "(...)" or nothing: what may follow a function's name.
bool is_parameter_list(std::string_view s) { return s.empty() || s.front() == '('; }

bool consume(std::string_view& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}

}  // namespace

bool is_allocator_module(std::string_view path) {
  const size_t slash = path.rfind('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return consume(name, "liballoc.so") && (name.empty() || name[0] == '.' || name[0] == ' ');
}

bool is_allocator_function(std::string_view name) {
  if (consume(name, "operator new")) {
    (void)consume(name, "[]");
    return is_parameter_list(name);
  }
  // The agent shares the namespace, and may itself run under liballoc.
  if (consume(name, "liballoc::")) return !name.starts_with("agent::");
  if (!consume(name, "__libc_")) (void)consume(name, "liballoc_");
  for (std::string_view known : kMallocNames) {
    if (name.starts_with(known) && is_parameter_list(name.substr(known.size()))) return true;
  }
  return false;
}

std::string_view drop_frames_regexp() {
  // "liballoc::(anything but agent...)" is spelled out, as RE2 has no negative look-ahead.
  return R"((__libc_|liballoc_)?(malloc|calloc|realloc|reallocarray|aligned_alloc|memalign|)"
         R"(posix_memalign|valloc|pvalloc)(\(.*\))?)"
         R"(|operator new(\[\])?(\(.*\))?)"
         R"(|liballoc::([^a]|a[^g]|ag[^e]|age[^n]|agen[^t]).*)"
         R"(|(std|__gnu_cxx)::(__1::)?(allocator|allocator_traits|__new_allocator|new_allocator))"
         R"(<.*>::allocate(\(.*\))?)";
}

}  // namespace liballoc::agent
