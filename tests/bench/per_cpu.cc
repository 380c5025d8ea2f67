// per_cpu.cc - the experiment of docs/decisions/per_cpu.md: a stack of free slots per thread, as liballoc's bins are, against
// one per processor, popped and pushed by restartable sequences (rseq). It must never call malloc where it measures, nor be
// taken for the library's hits, which also find the class and count.
//
// Prints first whether every slot had one owner at a time; then what a pop and push cost, one by one and in threads that take
// turns; then how many bytes lie in the caches after every thread has freed 64 KiB.

#include "tests/bench/bench.h"

#if defined(__x86_64__) && defined(__linux__) && __has_include(<sys/rseq.h>)

#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <latch>
#include <mutex>

#include "liballoc/base/compiler.h"
#include "tests/bench/per_cpu_stacks.h"

namespace {

using namespace liballoc::bench;

constexpr std::size_t kSlotBytes = 64;
constexpr std::size_t kLimit = 4096;  // slots in a stack: 256 KiB, as in liballoc
constexpr std::size_t kBatch = 32;    // slots that an empty stack asks for
constexpr std::size_t kMostTurn = 1024;
constexpr std::size_t kFreed = 65536 / kSlotBytes;

struct alignas(kSlotBytes) Slot {
  std::atomic<std::uint32_t> owned{0};
};

struct PerThread {
  static void* pop(std::size_t offset) { return thread_pop(offset); }
  static bool push(std::size_t offset, void* slot) { return thread_push(offset, slot); }
};
struct PerCpu {
  static void* pop(std::size_t offset) { return cpu_pop(offset); }
  static bool push(std::size_t offset, void* slot) { return cpu_push(offset, slot); }
};

// ---- What is behind both: all slots, and those that are in no stack. ----

struct Central {
  std::mutex lock;
  std::vector<void*> slots;
};
Central g_central;
std::size_t g_offset;  // of the class that is used
std::size_t g_turn;    // slots that a thread uses before the next one's turn

template <typename Kind>
LIBALLOC_COLD void give(void* slot) {
  const std::lock_guard guard(g_central.lock);
  g_central.slots.push_back(slot);
  for (std::size_t i = 0; i < kLimit / 2; ++i)
    if (void* other = Kind::pop(g_offset)) g_central.slots.push_back(other);
}

template <typename Kind>
void put(void* slot) {
  if (LIBALLOC_UNLIKELY(!Kind::push(g_offset, slot))) give<Kind>(slot);
}

template <typename Kind>
LIBALLOC_COLD void* refill() {
  void* taken[kBatch];
  std::size_t n = 0;
  {
    const std::lock_guard guard(g_central.lock);
    for (; n < kBatch && !g_central.slots.empty(); ++n) {
      taken[n] = g_central.slots.back();
      g_central.slots.pop_back();
    }
  }
  for (std::size_t i = 1; i < n; ++i) put<Kind>(taken[i]);
  return n == 0 ? nullptr : taken[0];
}

template <typename Kind>
void* take() {
  void* slot = Kind::pop(g_offset);
  return LIBALLOC_LIKELY(slot != nullptr) ? slot : refill<Kind>();
}

// Tables with storage for the one class.
class Tables {
 public:
  explicit Tables(std::size_t n) : tables_(n), storage_(n * (kLimit + 1)) {
    for (std::size_t i = 0; i < n; ++i) {
      Stack& stack = stack_at(&tables_[i], g_offset);
      stack.top = stack.base = &storage_[i * (kLimit + 1) + 1];  // the word before it is read by a push
      stack.limit = stack.base + kLimit;
    }
  }
  Table* operator[](std::size_t i) { return &tables_[i]; }
  std::size_t held() {
    std::size_t n = 0;
    for (Table& table : tables_)
      n += static_cast<std::size_t>(stack_at(&table, g_offset).top - stack_at(&table, g_offset).base);
    return n;
  }
  // Empties the stacks into the central list, when no thread uses them.
  void empty() {
    for (Table& table : tables_) {
      Stack& stack = stack_at(&table, g_offset);
      while (stack.top != stack.base) g_central.slots.push_back(*--stack.top);
    }
  }

 private:
  std::vector<Table> tables_;
  std::vector<void*> storage_;
};

// One more than the greatest number of a processor that the machine can have.
std::size_t possible_cpus() {
  std::size_t n = static_cast<std::size_t>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF)));
  if (std::FILE* file = std::fopen("/sys/devices/system/cpu/possible", "r")) {
    unsigned number;
    while (std::fscanf(file, "%*[-,]") != EOF && std::fscanf(file, "%u", &number) == 1)
      n = std::max(n, std::size_t{number} + 1);
    std::fclose(file);
  }
  return n;
}

// ---- Every slot has one owner at a time. ----

constinit std::atomic<std::uint64_t> g_signals{0};

void own(void* slot) {
  if (static_cast<Slot*>(slot)->owned.exchange(1, std::memory_order_relaxed) == 0) return;
  std::fprintf(stderr, "error: the slot at %p was popped twice\n", slot);
  std::abort();
}

void disown(void* slot) { static_cast<Slot*>(slot)->owned.store(0, std::memory_order_relaxed); }

// A signal that comes within a sequence restarts it; meanwhile the handler uses the same stack.
void on_signal(int) {
  g_signals.fetch_add(1, std::memory_order_relaxed);
  void* slot = cpu_pop(g_offset);
  if (slot == nullptr) return;
  own(slot);
  disown(slot);
  while (!cpu_push(g_offset, slot)) continue;  // never full: there are fewer slots than a stack holds
}

long preemptions() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

void set_timer(long us) {
  const itimerval timer = {{0, us}, {0, us}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void check(Tables& tables, std::vector<Slot>& slots, std::uint64_t threads, std::uint64_t rounds) {
  g_central.slots.clear();
  for (std::size_t i = 0; i < kLimit / 2; ++i) g_central.slots.push_back(&slots[i]);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  const long preempted = preemptions();
  set_timer(50);
  std::atomic<std::uint64_t> pops{0};
  run_threads(threads, [&](std::uint64_t) {
    std::uint64_t n = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      void* held[4];
      for (void*& slot : held)
        if ((slot = take<PerCpu>()) != nullptr) own(slot), ++n;
      for (void* slot : held)
        if (slot != nullptr) disown(slot), put<PerCpu>(slot);
    }
    pops += n;
  });
  set_timer(0);
  signal(SIGALRM, SIG_IGN);
  tables.empty();
  for (void* slot : g_central.slots) own(slot);
  if (g_central.slots.size() != kLimit / 2) {
    std::fprintf(stderr, "error: %zu slots of %zu are left\n", g_central.slots.size(), kLimit / 2);
    std::abort();
  }
  for (void* slot : g_central.slots) disown(slot);
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("check threads %llu pops %llu preemptions %ld signals %llu restarts %llu\n", n(threads), n(pops.load()),
              preemptions() - preempted, n(g_signals.load()), n(g_cpu.restarts));
}

// ---- Time. ----

double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

struct Cost {
  double cpu = 1e30;   // ns of processor time per pair
  double wall = 1e30;  // ns of wall time per pair, of all threads together
  void least(const Cost& other) {
    cpu = std::min(cpu, other.cpu);
    wall = std::min(wall, other.wall);
  }
};

template <typename Kind>
void hot(std::uint64_t pairs) {
  for (std::uint64_t i = 0; i < pairs; ++i) {
    void* slot = take<Kind>();
    keep(slot);
    put<Kind>(slot);
  }
}

// As a server does whose threads each do a little and wait: what the last thread has used is warm.
template <typename Kind>
void turns(std::uint64_t pairs) {
  void* held[kMostTurn];
  for (std::uint64_t i = 0; i < pairs; i += g_turn) {
    for (std::size_t n = 0; n < g_turn; ++n) {
      held[n] = take<Kind>();
      static_cast<Slot*>(held[n])->owned.store(0, std::memory_order_relaxed);
    }
    for (std::size_t n = 0; n < g_turn; ++n) put<Kind>(held[n]);
    sched_yield();
  }
}

template <typename Kind>
Cost measure(Tables& own_tables, std::uint64_t threads, std::uint64_t pairs, void (*work)(std::uint64_t)) {
  std::latch ready(static_cast<std::ptrdiff_t>(threads));
  std::vector<double> begin(threads), end(threads), cpu(threads);
  run_threads(threads, [&](std::uint64_t i) {
    t_cache = own_tables[i];
    work(2 * kMostTurn);
    ready.arrive_and_wait();
    begin[i] = now(CLOCK_MONOTONIC);
    cpu[i] = -now(CLOCK_THREAD_CPUTIME_ID);
    work(pairs);
    cpu[i] += now(CLOCK_THREAD_CPUTIME_ID);
    end[i] = now(CLOCK_MONOTONIC);
  });
  const double all = static_cast<double>(pairs) * static_cast<double>(threads);
  double sum = 0;
  for (const double ns : cpu) sum += ns;
  return {sum / all, (*std::max_element(end.begin(), end.end()) - *std::min_element(begin.begin(), begin.end())) / all};
}

template <typename Kind>
std::size_t slots_held(Tables& tables, Tables& own_tables, std::vector<Slot>& slots, std::uint64_t threads) {
  std::latch done(static_cast<std::ptrdiff_t>(threads) + 1), counted(1);
  std::size_t held = 0;
  std::thread counter([&] {
    done.arrive_and_wait();
    held = tables.held();
    counted.count_down();
  });
  run_threads(threads, [&](std::uint64_t i) {
    t_cache = own_tables[i];
    for (std::size_t slot = i * kFreed; slot < (i + 1) * kFreed; ++slot) put<Kind>(&slots[slot]);
    done.arrive_and_wait();
    counted.wait();
  });
  counter.join();
  return held;
}

int run(const Parameters& parameters) {
  g_offset = parameters["class"] * sizeof(Stack);
  g_turn = parameters["turn"];
  constexpr std::uint64_t kMostThreads = 128;
  std::vector<Slot> slots(kMostThreads * kFreed);
  Tables by_cpu(possible_cpus()), by_thread(kMostThreads);
  g_cpu = {__rseq_offset, by_cpu[0], 0};
  check(by_cpu, slots, parameters["threads"], parameters.work(parameters["checks"], 1000));

  const auto reset = [&] {  // all slots to the central list
    by_cpu.empty(), by_thread.empty();
    g_central.slots.clear();
    for (Slot& slot : slots) g_central.slots.push_back(&slot);
  };
  std::uint64_t sum = 0;
  const std::uint64_t pairs = parameters.work(parameters["pairs"], 1000);
  for (const bool in_turns : {false, true}) {
    for (const std::uint64_t threads : {1, 2, 8, 32}) {
      Cost thread, cpu;
      std::vector<double> ratios;
      for (std::uint64_t round = 0; round < parameters["rounds"]; ++round) {
        Cost one, other;
        for (const bool first : {true, false}) {
          reset();
          if (first == (round % 2 == 0)) {
            one = measure<PerThread>(by_thread, threads, pairs / threads, in_turns ? turns<PerThread> : hot<PerThread>);
          } else {
            other = measure<PerCpu>(by_thread, threads, pairs / threads, in_turns ? turns<PerCpu> : hot<PerCpu>);
          }
        }
        thread.least(one), cpu.least(other);
        ratios.push_back(other.cpu / one.cpu);
        sum += pairs;
      }
      std::sort(ratios.begin(), ratios.end());
      std::printf("%s %2d threads: ns of a processor per pair: per thread %.2f, per cpu %.2f, median ratio %.2f; "
                  "million pairs/s: %.0f, %.0f\n", in_turns ? "turns" : "hot  ", static_cast<int>(threads), thread.cpu,
                  cpu.cpu, ratios[ratios.size() / 2], 1e3 / thread.wall, 1e3 / cpu.wall);
      std::fflush(stdout);
    }
  }
  for (const std::uint64_t threads : {2, 8, 32, 128}) {
    reset();
    const std::size_t thread = slots_held<PerThread>(by_thread, by_thread, slots, threads);
    reset();
    const std::size_t cpu = slots_held<PerCpu>(by_cpu, by_thread, slots, threads);
    std::printf("held  %3d threads: KiB in caches: per thread %zu, per cpu %zu\n", static_cast<int>(threads),
                thread * kSlotBytes / 1024, cpu * kSlotBytes / 1024);
  }
  return finish(mix(sum));
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv,
                              {{"rounds", 7, 1, 1000},
                               {"pairs", 10000000, 1000, 1000000000},  // of all threads together
                               {"checks", 2000000, 1, 1000000000},     // per thread, of four slots each
                               {"threads", 8, 1, 128},                 // of the check
                               {"turn", 1024, 1, kMostTurn},           // pairs of a thread before the next one's turn
                               {"class", 3, 0, kClasses - 1}});
  if (__rseq_size == 0) {
    std::printf("does not apply: glibc has registered no rseq area (an old kernel, or glibc.pthread.rseq=0)\n");
    return finish(0);
  }
  return run(parameters);
}

#else

int main() {
  std::printf("does not apply: it needs x86-64 and glibc 2.35 or later\n");
  return liballoc::bench::finish(0);
}

#endif
