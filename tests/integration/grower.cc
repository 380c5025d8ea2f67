// grower.cc - grower LIMIT: takes memory, touches it and keeps it until somebody kills it, saying after each round how far it
// has come. Must never take more than LIMIT bytes: it ends with exit code 3 when nobody has killed it by then.
//
// Protocol: "usable SMALL LARGE" (usable bytes of an object of each kind) after the first round of kSmallPerRound small objects
// and one large one; waits for a byte on standard input, or its end; then "round N" after each further round. Allocates nothing
// else. Does not link liballoc.
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t kSmallBytes = 1000, kLargeBytes = 300000, kSmallPerRound = 1024;

// The objects form a chain, so that they are held and not leaked.
void* newest = nullptr;

size_t hold(size_t bytes) {
  void* const object = std::malloc(bytes);
  if (object == nullptr) _exit(4);
  std::memset(object, 'x', bytes);
  std::memcpy(object, &newest, sizeof newest);
  newest = object;
  return malloc_usable_size(object);
}

void say(const char* text, int length) {
  if (write(STDOUT_FILENO, text, static_cast<size_t>(length)) != length) _exit(5);
}

}  // namespace

// Not in a namespace: their names are looked for in the profile.
extern "C" [[gnu::noinline, gnu::used]] size_t hold_small() {
  size_t usable = 0;
  for (size_t i = 0; i < kSmallPerRound; i++) usable = hold(kSmallBytes);
  return usable;
}

extern "C" [[gnu::noinline, gnu::used]] size_t hold_large() {
  const size_t usable = hold(kLargeBytes);
  return usable;
}

int main(int argc, char** argv) {
  const size_t limit = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
  char line[64];
  for (size_t round = 1, taken = 0; taken < limit; round++) {
    const size_t small = hold_small(), large = hold_large();
    taken += kSmallPerRound * small + large;
    if (round > 1) {
      say(line, std::snprintf(line, sizeof line, "round %zu\n", round));
      continue;
    }
    say(line, std::snprintf(line, sizeof line, "usable %zu %zu\n", small, large));
    if (read(STDIN_FILENO, line, 1) < 0) return 6;
  }
  return 3;
}
