// process_scenarios.cc - processes that share their parent's memory for a while, and the ways in which processes end.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/threads/scenario.h"

extern char** environ;

namespace scenario {

namespace {

char* const kWorker[] = {const_cast<char*>("scenario"), const_cast<char*>("worker"), nullptr};

// The own segment, and proof that it is in use: the file is there and not marked as ended.
void check_own_segment_lives() {
  if (getenv("LIBALLOC_SHM_DIR") == nullptr) return;
  const std::vector<std::string> own = segments(getpid());
  CHECK(own.size() == 1);
  CHECK(exit_state_of(own[0]) == 0);
}

}  // namespace

void vfork_and_exec() {
  churn(1, 2000);
  for (int i = 0; i < 40; i++) {
    const pid_t child = vfork();
    CHECK(child >= 0);
    if (child == 0) {
      execve(kSelf, kWorker, environ);
      _exit(99);
    }
    CHECK(wait_for(child) == kWorkerDone);
    churn(2, 200);
  }
  check_own_segment_lives();
}

void vfork_and_exit() {
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    for (uint64_t round = 0; !stop.load(); round++) churn(round, 100, 16);
  });
  for (int i = 0; i < 100; i++) {
    const pid_t child = vfork();
    CHECK(child >= 0);
    if (child == 0) {
      // Allocates, as an exec that searches the path may, in the memory of the parent.
      free(malloc(40));
      free(malloc(40000));
      _exit(29);
    }
    CHECK(wait_for(child) == 29);
    check_own_segment_lives();
  }
  stop = true;
  other.join();
  churn(3, 5000);
}

void spawn() {
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    for (uint64_t round = 0; !stop.load(); round++) churn(round, 100, 16);
  });
  for (int i = 0; i < 40; i++) {
    pid_t child = 0;
    CHECK(posix_spawn(&child, kSelf, nullptr, nullptr, kWorker, environ) == 0);
    CHECK(wait_for(child) == kWorkerDone);
  }
  pid_t child = 0;
  CHECK(posix_spawnp(&child, "liballoc-no-such-program", nullptr, nullptr, kWorker, environ) != 0);
  stop = true;
  other.join();
  check_own_segment_lives();
}

namespace {

struct Witness {
  ~Witness() {
    const char text[] = "a destructor ran\n";
    static_cast<void>(!write(STDERR_FILENO, text, sizeof text - 1));
    if (armed) _exit(98);
  }
  bool armed = false;
};
Witness& witness() {
  static Witness* const w = new Witness;  // destroyed by exit() alone, and only in children that registered it
  return *w;
}

}  // namespace

void quick_exit_runs_no_destructor() {
  for (int way = 0; way < 3; way++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      witness().armed = true;
      atexit([] { witness().~Witness(); });
      if (way == 1) {
        at_quick_exit([] {
          churn(71, 500);  // may allocate: the process is whole
          _exit(33);
        });
      }
      churn(72, 1000);
      if (way == 0) _exit(33);
      if (way == 1) quick_exit(34);
      _Exit(33);
    }
    CHECK(wait_for(child) == 33);
    // Ended cleanly: the file is gone, or is kept and says so.
    for (const std::string& segment : segments(child)) CHECK(exit_state_of(segment) != 0);
  }
}

void exit_from_a_thread() {
  for (int i = 0; i < 40; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      // Others allocate until the very end, while destructors run.
      for (uint64_t t = 0; t < 3; t++) {
        std::thread([t] {
          for (uint64_t round = 0;; round++) churn(t * 1000 + round, 50, 16);
        }).detach();
      }
      std::thread([i] {
        churn(81, 300);
        if (i % 2 == 0) exit(37);
        _exit(37);
      }).join();
      pause();
    }
    CHECK(wait_for(child) == 37);
  }
}

void exec_from_a_thread() {
  for (int i = 0; i < 10; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      std::thread([] {
        for (uint64_t round = 0;; round++) churn(round, 50, 16);
      }).detach();
      std::thread([] {
        churn(82, 100);
        execve(kSelf, kWorker, environ);
        _exit(99);
      }).join();
    }
    CHECK(wait_for(child) == kWorkerDone);
  }
}

}  // namespace scenario
