// forker.cc - forker fork|raw|own|own-raw: a process that forks a child that forks a grandchild,
// both of which allocate, while it waits itself. "raw" makes the grandchild by the system call
// alone, so that no fork handler runs; "own" has the child allocate before it forks, so that it has
// a segment then. Does not link liballoc.
//
// Protocol: "ready", then a byte on standard input, then "forked CHILD GRANDCHILD" when both have
// allocated; all end with the input. With "own", "allocated CHILD" comes in between when the child
// has allocated and forked, and the grandchild allocates after another byte. The parent allocates
// nothing after "ready", and with "own" the child nothing after "allocated".
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

void say(const char* text, int length) {
  if (write(STDOUT_FILENO, text, static_cast<size_t>(length)) != length) _exit(6);
}

[[noreturn]] void live_on(int until) {
  char byte = 0;
  while (read(until, &byte, 1) > 0) continue;
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bool raw = std::strstr(argv[1], "raw") != nullptr;
  const bool own = std::strncmp(argv[1], "own", 3) == 0;
  void* volatile first = std::malloc(1);
  std::free(first);
  int said[2], end[2], go[2];
  if (pipe(said) != 0 || pipe(end) != 0 || pipe(go) != 0) return 1;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  char byte = 0;
  if (read(STDIN_FILENO, &byte, 1) != 1) return 1;
  const pid_t child = fork();
  if (child == 0) {
    close(end[1]);
    close(go[1]);
    if (own) allocate();
    const long grandchild = raw ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
    if (grandchild < 0) _exit(4);
    if (own && grandchild == 0 && read(go[0], &byte, 1) != 1) _exit(5);
    if (!own || grandchild == 0) allocate();
    tell(said[1], static_cast<pid_t>(syscall(SYS_getpid)));
    live_on(end[0]);
  }
  char line[64];
  pid_t who[2];
  for (pid_t& one : who) {
    if (read(said[0], &one, sizeof one) != sizeof one) return 1;
    if (!own || &one != who) continue;
    say(line, std::snprintf(line, sizeof line, "allocated %d\n", static_cast<int>(one)));
    if (read(STDIN_FILENO, &byte, 1) != 1 || write(go[1], &byte, 1) != 1) return 1;
  }
  const pid_t grandchild = who[0] == child ? who[1] : who[0];
  say(line, std::snprintf(line, sizeof line, "forked %d %d\n", static_cast<int>(child),
                          static_cast<int>(grandchild)));
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  close(end[1]);
  return waitpid(child, nullptr, 0) == child ? 0 : 1;
}
