// turmoil.cc - turmoil THREADS ROUNDS: threads that allocate and free everything the heap can do, across each other and under
// labels that come and go, with rest points in between. Does not link liballoc: it is preloaded. Allocates nothing between a
// "rest" line and the byte that ends it.
//
// Protocol: each phase ends with "rest N"; a byte on standard input begins the next; end of input ends the program. ROUNDS 0: a
// phase goes on until the byte that asks for rest is there.
#define LIBALLOC_LABELS_OPTIONAL
#include "liballoc/labels.h"

#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr size_t kSlots = 512;  // per thread; shared, so that others free what one allocated
constexpr int kLives = 4;       // threads that end and begin anew in one phase

std::atomic<void*>* g_slots = nullptr;
size_t g_slot_count = 0;
std::atomic<bool> g_stop{false};

struct Random {
  uint64_t state;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
};

size_t draw_size(Random& random) {
  const uint64_t r = random.next();
  switch (r % 16) {
    case 0: return 1 + (r >> 8) % 262144;             // large
    case 1: return 1 + (r >> 8) % 2097152;            // larger than a growth step's half
    case 2:
    case 3: return 8192 + (r >> 8) % 24576;           // few to a span
    default: return 1 + (r >> 8) % 2048;
  }
}

void change_label(Random& random) {
  if (liballoc_set_label == nullptr) return;
  static constexpr const char* kKeys[] = {"tenant", "endpoint", "query"};
  static constexpr const char* kValues[] = {nullptr, "acme", "globex", "initech", "/orders", "/search"};
  liballoc_set_label(kKeys[random.next() % 3], kValues[random.next() % 6]);
}

void work(uint64_t seed, uint64_t rounds) {
  Random random{seed * 0x9e3779b97f4a7c15u + 1};
  for (uint64_t i = 0; rounds == 0 ? !g_stop.load(std::memory_order_relaxed) : i < rounds; i++) {
    void* fresh = random.next() % 3 == 0 ? nullptr : std::malloc(draw_size(random));
    void* old = g_slots[random.next() % g_slot_count].exchange(fresh);
    if (old != nullptr && random.next() % 8 == 0) {
      old = std::realloc(old, 1 + random.next() % 65536);
    }
    std::free(old);
    if (i % 4096 == 4095) malloc_trim(0);
    if (i % 16 == 15) change_label(random);
    if (rounds == 0 && i % 32 == 31) usleep(1000);  // a pace that a consumer can follow while it is not kept from it
  }
}

bool input_waits() {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 20) > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const unsigned threads = static_cast<unsigned>(std::atoi(argv[1]));
  const uint64_t rounds = static_cast<uint64_t>(std::atoll(argv[2]));
  g_slot_count = kSlots * threads;
  g_slots = static_cast<std::atomic<void*>*>(std::calloc(g_slot_count, sizeof(void*)));
  for (unsigned phase = 0;; phase++) {
    {
      std::vector<std::thread> running;
      g_stop = false;
      for (int life = 0; life < kLives; life++) {
        for (unsigned t = 0; t < threads; t++) running.emplace_back(work, phase * 1000 + life * 100 + t + 1, rounds);
        if (rounds == 0 && life == kLives - 1) {
          while (!input_waits()) continue;
        } else if (rounds == 0) {
          usleep(20000);
        }
        g_stop = true;
        for (std::thread& thread : running) thread.join();
        running.clear();
        g_stop = false;
      }
    }
    char line[32];
    const int n = std::snprintf(line, sizeof line, "rest %u\n", phase);
    char go = 0;
    if (rounds == 0 && read(STDIN_FILENO, &go, 1) != 1) return 0;  // the byte that asked for rest
    if (write(STDOUT_FILENO, line, static_cast<size_t>(n)) != n) return 1;
    if (read(STDIN_FILENO, &go, 1) != 1) return 0;
  }
}
