// scavenge_thread.cc - see scavenge_thread.h.
#include "liballoc/core/scavenge_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "liballoc/base/syscall.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/os/os.h"

namespace liballoc {

constinit std::atomic<bool> g_scavenge_thread_due{false};

namespace {

constexpr uint64_t kLeastHeapBytes = uint64_t{8} << 20;  // less is not worth a thread
constexpr uint64_t kSpareBytes = uint64_t{8} << 20;      // idle memory that is not worth waking up for
constexpr uint64_t kBusyNs = 110'000'000;                // a little more than an interval of the scavenger
constexpr uint64_t kRestNs = 1'000'000'000;
constexpr size_t kStackBytes = size_t{1} << 20;  // address space; the thread touches a page or two of it

constinit std::atomic<uint64_t> g_heap_bytes{0};    // relaxed: a threshold
constinit std::atomic<bool> g_running{false};       // relaxed: only one thread wins the exchange
constinit std::atomic<uint32_t> g_pid{0};           // whose thread it is: an _exit in a vfork child is not its process's end
constinit std::atomic<uint32_t> g_stop{0};          // the word that the thread waits on

void* run(void*) {
  thread_serve_singly();  // what libc frees when this thread ends
  prctl(PR_SET_NAME, "liballoc-idle");
  while (true) {
    g_heap.tick(monotonic_ns());
    const PageHeapStats stats = g_heap.pages().stats();
    const bool busy = stats.idle - stats.released > kSpareBytes + stats.in_use / 10;
    timespec pause{};
    pause.tv_sec = busy ? 0 : static_cast<time_t>(kRestNs / 1'000'000'000);
    pause.tv_nsec = busy ? static_cast<long>(kBusyNs) : 0;
    constexpr long kFutexWaitPrivate = 0 | 128;
    sys::raw_syscall(SYS_futex, sys::arg(&g_stop), kFutexWaitPrivate, 0, sys::arg(&pause));
    if (g_stop.load(std::memory_order_relaxed) != 0) break;
    // The program's last thread has ended: the process ends with this one.
    if (thread_counts().live == 0) break;
  }
  g_running.store(false, std::memory_order_relaxed);
  return nullptr;
}

}  // namespace

void scavenge_thread_heap_grew(uint64_t heap_bytes) {
  g_heap_bytes.store(heap_bytes, std::memory_order_relaxed);
  if (g_config.scavenge_thread && heap_bytes >= kLeastHeapBytes && !g_running.load(std::memory_order_relaxed)) {
    g_scavenge_thread_due.store(true, std::memory_order_relaxed);
  }
}

void scavenge_thread_start() {
  if (!g_scavenge_thread_due.exchange(false, std::memory_order_relaxed)) return;
  if (g_running.exchange(true, std::memory_order_relaxed)) return;
  const int saved_errno = errno;
  g_pid.store(sys::current_pid(), std::memory_order_relaxed);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread inherits it: no handler of the program runs there
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, nullptr);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) g_running.store(false, std::memory_order_relaxed);  // the next growth tries again
  errno = saved_errno;
}

void scavenge_thread_after_fork() {
  g_running.store(false, std::memory_order_relaxed);
  scavenge_thread_heap_grew(g_heap_bytes.load(std::memory_order_relaxed));
}

void scavenge_thread_stop() {
  if (!g_running.load(std::memory_order_relaxed) || g_pid.load(std::memory_order_relaxed) != sys::current_pid()) return;
  g_stop.store(1, std::memory_order_relaxed);
  sys::futex_wake(reinterpret_cast<uint32_t*>(&g_stop), 1);
}

}  // namespace liballoc
