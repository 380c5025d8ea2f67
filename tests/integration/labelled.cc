// labelled.cc - holds a known number of objects per tenant and endpoint, in two threads and a child of a fork, then waits to be
// looked at. Does not link liballoc: without it the labels do nothing.
//
// Protocol: "child PID", "rest 0"; ends with its input.
#define LIBALLOC_LABELS_OPTIONAL
#include "liballoc/labels.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using liballoc::ScopedLabel;

constexpr size_t kObjectBytes = 100;
volatile uintptr_t sink;  // what the compiler cannot see through

void hold(int objects) {
  for (int i = 0; i < objects; i++) sink = reinterpret_cast<uintptr_t>(std::malloc(kObjectBytes));
}

void serve(const char* tenant, const char* endpoint, int objects) {
  const ScopedLabel of_tenant("tenant", tenant);
  hold(objects / 2);
  const ScopedLabel of_endpoint("endpoint", endpoint);
  hold(objects / 2);
}

[[noreturn]] void wait_for_the_end() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  _exit(0);
}

}  // namespace

int main() {
  std::thread([] { serve("acme", "/search", 300); }).join();
  serve("globex", "/search", 500);
  serve("acme", "/orders", 700);
  hold(50);
  const ScopedLabel inherited("tenant", "initech");
  const pid_t child = fork();
  if (child < 0) return 3;
  if (child == 0) {
    hold(5000);
    wait_for_the_end();
  }
  std::printf("child %d\nrest 0\n", static_cast<int>(child));
  std::fflush(stdout);
  wait_for_the_end();
}
