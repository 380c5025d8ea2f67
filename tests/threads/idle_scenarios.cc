// idle_scenarios.cc - programs that do little or nothing after a burst get smaller. One that makes no call any more does with
// LIBALLOC_SCAVENGE_THREAD=1, and the thread that does it is in nobody's way: run with the variable set, see CMakeLists.txt.
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
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

constexpr size_t kPeakKib = 256 << 10;

long resident_kib_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/statm";
  FILE* f = fopen(path.c_str(), "r");
  CHECK(f != nullptr);
  long pages = 0, resident = 0;
  CHECK(fscanf(f, "%ld %ld", &pages, &resident) == 2);
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

void reach_the_peak_and_free_it() {
  std::vector<void*> objects;
  for (size_t kib = 0; kib < kPeakKib; kib++) {
    objects.push_back(malloc(1024));
    memset(objects.back(), 1, 1024);
  }
  for (void* p : objects) free(p);
}

// The library's thread among those of this process: the mask of signals that it blocks; empty without one.
std::string blocked_signals_of_the_thread() {
  std::string found;
  DIR* tasks = opendir("/proc/self/task");
  CHECK(tasks != nullptr);
  while (const dirent* entry = readdir(tasks)) {
    FILE* f = fopen((std::string("/proc/self/task/") + entry->d_name + "/status").c_str(), "r");
    if (f == nullptr) continue;
    char line[256];
    bool ours = false;
    while (fgets(line, sizeof line, f) != nullptr) {
      if (strcmp(line, "Name:\tliballoc-idle\n") == 0) ours = true;
      if (ours && strncmp(line, "SigBlk:\t", 8) == 0) found.assign(line + 8, strcspn(line + 8, "\n"));
    }
    fclose(f);
  }
  closedir(tasks);
  return found;
}

void pause_ms(long ms) {
  const timespec t = {ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&t, nullptr);
}

// A child that has freed its peak and now waits for a signal: it must get small without another call.
void expect_an_idle_child_to_shrink() {
  int ready[2];
  CHECK(pipe(ready) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    reach_the_peak_and_free_it();
    CHECK(write(ready[1], "r", 1) == 1);
    while (true) pause();
  }
  char byte = 0;
  CHECK(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  close(ready[1]);
  long kib = resident_kib_of(child);
  for (int i = 0; i < 600 && kib > static_cast<long>(kPeakKib / 5); i++) {  // within a minute; 20 s are promised
    pause_ms(100);
    kib = resident_kib_of(child);
  }
  kill(child, SIGKILL);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  printf("resident after the peak of %zu KiB: %ld KiB\n", kPeakKib, kib);
  CHECK(kib <= static_cast<long>(kPeakKib / 5));
}

}  // namespace

// What it goes on with ends in slow paths, each of which uses the same memory again: it frees no pages.
void little_work_after_a_burst_shrinks() {
  reach_the_peak_and_free_it();
  long kib = resident_kib();
  for (int i = 0; i < 60000 && kib > static_cast<long>(kPeakKib / 5); i++) {  // within a minute; some seconds are usual
    void* volatile p = malloc(100000);
    free(p);
    pause_ms(1);
    if (i % 100 == 0) kib = resident_kib();
  }
  printf("resident after the peak of %zu KiB: %ld KiB\n", kPeakKib, kib);
  CHECK(kib <= static_cast<long>(kPeakKib / 5));
}

void idle_program_shrinks() {
  CHECK(blocked_signals_of_the_thread().empty());  // a small program has no such thread
  expect_an_idle_child_to_shrink();

  reach_the_peak_and_free_it();
  std::string blocked;
  for (int i = 0; i < 600 && (blocked = blocked_signals_of_the_thread()).empty(); i++) pause_ms(100);  // it names itself
  CHECK(!blocked.empty());
  const unsigned long long mask = strtoull(blocked.c_str(), nullptr, 16);
  for (const int s : {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGIO, SIGSEGV, SIGRTMIN, SIGRTMAX}) {
    CHECK((mask >> (s - 1) & 1) != 0);
  }
  expect_an_idle_child_to_shrink();  // of a parent that has the thread

  // The thread does not keep a process alive whose own threads have ended.
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    std::thread(reach_the_peak_and_free_it).detach();
    pthread_exit(nullptr);
  }
  CHECK(wait_for(child) == 0);
}

}  // namespace scenario
