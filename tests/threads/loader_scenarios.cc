// loader_scenarios.cc - libraries that allocate in constructors and destructors come and go, in one thread and in several.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

using Allocate = char* (*)(size_t bytes);

std::string plugin_path(int number) {
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(n > 0);
  const std::string path(self, static_cast<size_t>(n));
  return path.substr(0, path.rfind('/')) + "/libscenario_plugin" + std::to_string(number) + ".so";
}

void* open_plugin(int number, int flags) {
  void* library = dlopen(plugin_path(number).c_str(), flags);
  if (library == nullptr) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != nullptr);
  return library;
}

char* allocate_in(void* library, size_t bytes) {
  const auto allocate = reinterpret_cast<Allocate>(dlsym(library, "plugin_allocate"));
  CHECK(allocate != nullptr);
  char* memory = allocate(bytes);
  CHECK(memory != nullptr);
  memset(memory, 'm', bytes);
  return memory;
}

}  // namespace

void open_and_close_libraries() {
  std::vector<char*> left;
  long warm = 0;
  for (int round = 0; round < 200; round++) {
    void* first = open_plugin(0, RTLD_NOW | RTLD_LOCAL);
    void* second = open_plugin(1, RTLD_LAZY | (round % 2 == 0 ? RTLD_LOCAL : RTLD_GLOBAL));
    left.push_back(allocate_in(first, 100));
    left.push_back(allocate_in(second, 9000));
    churn(static_cast<uint64_t>(round), 100, 16);
    CHECK(dlclose(first) == 0);
    CHECK(dlclose(second) == 0);
    // The stacks of samples now name code that is gone; allocating goes on.
    churn(static_cast<uint64_t>(round), 100, 16);
    if (round % 50 == 49) {
      for (char* memory : left) free(memory);
      left.clear();
    }
    if (round == 49) warm = resident_kib();
  }
  CHECK(resident_kib() - warm <= 4096);
}

void open_libraries_in_threads() {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([t] {
      for (int round = 0; round < 60; round++) {
        void* library = open_plugin((t + round) % 2, RTLD_NOW | RTLD_LOCAL);
        char* memory = allocate_in(library, 200);
        churn(static_cast<uint64_t>(round), 50, 8);
        CHECK(dlclose(library) == 0);
        free(memory);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  churn(7, 5000);
}

}  // namespace scenario
