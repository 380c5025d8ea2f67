// truth.cc - allocates from many threads and says, at each rest point, exactly which objects of its
// own are alive.
//
// Must never allocate for itself between two rest points: its tables are static, its output is
// write(2), and threads are started once before the first rest point so that glibc has their stacks
// and thread descriptors cached. Protocol: "live <usable bytes> <objects>" lines, then "rest <n>",
// then it waits for one byte on standard input.
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kThreads = 6;
constexpr size_t kSlots = 2000;  // per thread
constexpr size_t kSizes[] = {0,     1,     7,     8,     9,     16,    17,     24,     33,
                             48,    64,    90,    100,   128,   150,   200,    256,    300,
                             450,   500,   700,   900,   1000,  1024,  1200,   1500,   2000,
                             2600,  3000,  4000,  5000,  6000,  8192,  9000,   10000,  12000,
                             16384, 20000, 27000, 32768, 32769, 50000, 131072, 1048576};
constexpr size_t kLargeSizes = 4;  // the last ones
constexpr size_t kSizeCount = std::size(kSizes);

struct Slot {
  unsigned char* object;
  size_t size;
};
std::array<std::array<Slot, kSlots>, kThreads> slots;
pthread_barrier_t barrier;  // all threads of a phase
pthread_barrier_t rest;     // the threads that live through a rest point, and main

[[noreturn]] void fail(const char* what) {
  char line[128];
  const int n = std::snprintf(line, sizeof line, "truth: %s\n", what);
  (void)!write(STDERR_FILENO, line, static_cast<size_t>(n));
  _exit(3);
}

uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

unsigned char pattern(const Slot& slot) { return static_cast<unsigned char>(slot.size * 31 + 7); }

// Large objects are only written at their ends: the test is about counts.
void fill(const Slot& slot) {
  const size_t n = slot.size < 256 ? slot.size : 256;
  std::memset(slot.object, pattern(slot), n);
  if (slot.size > n) slot.object[slot.size - 1] = pattern(slot);
}

void check(const Slot& slot) {
  if (slot.size == 0) return;
  if (slot.object[0] != pattern(slot) || slot.object[slot.size - 1] != pattern(slot))
    fail("an object was overwritten");
}

void release(Slot* slot) {
  if (slot->object == nullptr) return;
  check(*slot);
  std::free(slot->object);
  slot->object = nullptr;
}

void allocate(Slot* slot, size_t size, bool zeroed) {
  slot->size = size;
  slot->object = static_cast<unsigned char*>(zeroed ? std::calloc(1, size) : std::malloc(size));
  if (slot->object == nullptr) fail("out of memory");
  if (zeroed && size > 0 && (slot->object[0] != 0 || slot->object[size - 1] != 0))
    fail("calloc gave used memory");
  fill(*slot);
}

void resize(Slot* slot, size_t size) {
  check(*slot);
  auto* moved = static_cast<unsigned char*>(std::realloc(slot->object, size));
  if (moved == nullptr) fail("out of memory in realloc");
  if (size > 0 && slot->size > 0 && moved[0] != pattern(*slot)) fail("realloc lost the contents");
  slot->object = moved;
  slot->size = size;
  fill(*slot);
}

// Allocates, resizes and frees at random in its own slots; then frees and replaces objects of its
// neighbour's.
void churn(int self, uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(self) + 1;
  auto& own = slots[static_cast<size_t>(self)];
  for (int i = 0; i < 40000; ++i) {
    Slot& slot = own[next_random(&state) % kSlots];
    // Large sizes are rare, or the heap would be nothing but them.
    const size_t pick = next_random(&state) % 64 == 0 ? kSizeCount : kSizeCount - kLargeSizes;
    const size_t size = kSizes[next_random(&state) % pick];
    if (slot.object == nullptr) {
      allocate(&slot, size, i % 5 == 0);
    } else if (i % 7 == 0 && size > 0) {
      resize(&slot, size);
    } else {
      release(&slot);
    }
  }
  pthread_barrier_wait(&barrier);
  auto& other = slots[static_cast<size_t>((self + 1) % kThreads)];
  for (size_t i = 0; i < kSlots; i += 2) {
    release(&other[i]);
    if (i % 6 == 0) allocate(&other[i], kSizes[i % (kSizeCount - kLargeSizes)], false);
  }
}

void release_all(
    int self) {  // everything of the neighbour: each free is one of another thread's object
  for (Slot& slot : slots[static_cast<size_t>((self + 2) % kThreads)]) release(&slot);
}

enum class Phase { kWarmUp, kExitBeforeRest, kLiveThroughRest, kFreeAll };
Phase phase;

void* thread_main(void* argument) {
  const int self = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  if (phase == Phase::kFreeAll) {
    release_all(self);
    return nullptr;
  }
  churn(self, static_cast<uint64_t>(phase) + 1);
  if (phase == Phase::kWarmUp) {
    pthread_barrier_wait(&barrier);
    release_all(self);
  }
  if (phase == Phase::kLiveThroughRest) {
    pthread_barrier_wait(&rest);  // at rest, with whatever the thread's cache holds
    pthread_barrier_wait(&rest);
  }
  return nullptr;
}

void report(int number) {
  struct Count {
    size_t usable;
    uint64_t objects;
  };
  static std::array<Count, 4096> counts;
  size_t used = 0;
  for (const auto& per_thread : slots) {
    for (const Slot& slot : per_thread) {
      if (slot.object == nullptr) continue;
      const size_t usable = malloc_usable_size(slot.object);
      size_t i = 0;
      while (i < used && counts[i].usable != usable) ++i;
      if (i == used) {
        if (used == counts.size()) fail("too many different sizes");
        counts[used++] = {usable, 0};
      }
      ++counts[i].objects;
    }
  }
  char line[96];
  for (size_t i = 0; i < used; ++i) {
    const int n = std::snprintf(line, sizeof line, "live %zu %llu\n", counts[i].usable,
                                static_cast<unsigned long long>(counts[i].objects));
    (void)!write(STDOUT_FILENO, line, static_cast<size_t>(n));
  }
  const int n = std::snprintf(line, sizeof line, "rest %d\n", number);
  (void)!write(STDOUT_FILENO, line, static_cast<size_t>(n));
  char byte;
  if (read(STDIN_FILENO, &byte, 1) != 1) fail("standard input ended at a rest point");
}

void run(Phase next, int rest_number) {
  phase = next;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);  // so that glibc keeps all the stacks
  std::array<pthread_t, kThreads> threads;
  for (int i = 0; i < kThreads; ++i) {
    void* argument = reinterpret_cast<void*>(static_cast<intptr_t>(i));
    if (pthread_create(&threads[static_cast<size_t>(i)], &attributes, thread_main, argument) != 0)
      fail("no thread");
  }
  if (next == Phase::kLiveThroughRest) {
    pthread_barrier_wait(&rest);
    report(rest_number);
    pthread_barrier_wait(&rest);
  }
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  if (next != Phase::kLiveThroughRest) report(rest_number);
}

// A child that frees and allocates in its copy of the heap must not show in the parent's figures.
void fork_and_churn() {
  const pid_t child = fork();
  if (child < 0) fail("no child");
  if (child == 0) {
    for (Slot& slot : slots[0]) release(&slot);
    for (Slot& slot : slots[1]) {
      if (slot.object == nullptr) allocate(&slot, 64, false);
    }
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) fail("the child failed");
}

}  // namespace

int main() {
  pthread_barrier_init(&barrier, nullptr, kThreads);
  pthread_barrier_init(&rest, nullptr, kThreads + 1);
  run(Phase::kWarmUp, 0);          // nothing alive: the baseline
  run(Phase::kExitBeforeRest, 1);  // objects of threads that have ended
  fork_and_churn();
  run(Phase::kLiveThroughRest, 2);  // objects, and full caches, of threads that live
  run(Phase::kFreeAll, 3);          // everything freed by another thread than it was allocated by
  return 0;
}
