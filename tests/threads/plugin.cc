// plugin.cc - a library that allocates when it is loaded and when it is unloaded, and keeps memory in between.
// Opened by loader_scenarios.cc, several copies at a time. Must never be linked into a program.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Kept {
  std::vector<std::unique_ptr<std::string>> strings;
  Kept() {
    for (size_t i = 0; i < 500; i++) strings.push_back(std::make_unique<std::string>(i * 3 + 20, static_cast<char>('a' + i % 26)));
  }
  ~Kept() {
    for (size_t i = 0; i < strings.size(); i++) {
      if (*strings[i] != std::string(i * 3 + 20, static_cast<char>('a' + i % 26))) abort();
    }
  }
};

Kept g_kept;
thread_local std::string t_text;
void* g_memory = nullptr;

__attribute__((constructor)) void on_load() { g_memory = malloc(3000); }
__attribute__((destructor)) void on_unload() {
  free(g_memory);
  void* last = malloc(50000);
  if (last == nullptr) abort();
  free(last);
}

}  // namespace

extern "C" {
// Memory that outlives the library that allocated it.
__attribute__((visibility("default"))) char* plugin_allocate(size_t bytes) {
  t_text.assign(bytes / 2 + 40, 't');
  return static_cast<char*>(malloc(bytes));
}
}
