// forker.cc - forker fork|raw: a process that forks a child that forks a grandchild, both of which allocate, while it waits
// itself. "raw" makes the grandchild by the system call alone, so that no fork handler runs. Does not link liballoc.
//
// Protocol: "ready", then a byte on standard input, then "forked CHILD GRANDCHILD" when both have allocated; all end with the
// input. The parent allocates nothing in between.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void allocate() {
  for (size_t i = 1; i < 2000; i++) {
    void* volatile kept = std::malloc(i * 37);  // the first call is what this is about
    if (i % 3 == 0) std::free(kept);
  }
}

void tell(int to, pid_t who) {
  if (write(to, &who, sizeof who) != sizeof who) _exit(3);
}

[[noreturn]] void live_on(int until) {
  char byte = 0;
  while (read(until, &byte, 1) > 0) continue;
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bool raw = std::strcmp(argv[1], "raw") == 0;
  void* volatile first = std::malloc(1);
  std::free(first);
  int said[2], end[2];
  if (pipe(said) != 0 || pipe(end) != 0) return 1;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  char byte = 0;
  if (read(STDIN_FILENO, &byte, 1) != 1) return 1;
  const pid_t child = fork();
  if (child == 0) {
    close(end[1]);
    if ((raw ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork()) < 0) _exit(4);
    allocate();
    tell(said[1], static_cast<pid_t>(syscall(SYS_getpid)));
    live_on(end[0]);
  }
  pid_t who[2];
  for (pid_t& one : who) {
    if (read(said[0], &one, sizeof one) != sizeof one) return 1;
  }
  const pid_t grandchild = who[0] == child ? who[1] : who[0];
  char line[64];
  const int n = std::snprintf(line, sizeof line, "forked %d %d\n", static_cast<int>(child), static_cast<int>(grandchild));
  if (write(STDOUT_FILENO, line, static_cast<size_t>(n)) != n) return 1;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  close(end[1]);
  return waitpid(child, nullptr, 0) == child ? 0 : 1;
}
