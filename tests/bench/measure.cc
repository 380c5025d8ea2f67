// measure.cc - runs a program and says what it cost: wall time, processor time, peak RSS, faults and context switches.
// Linked statically and small, for a child's peak RSS starts at that of the process it was forked from.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

// usage: bench_measure RESULT_FILE [NAME=VALUE ...] -- PROGRAM ARGUMENT...
// The variables are set in the program only. RESULT_FILE gets one line of JSON. The exit code is the program's.
int main(int argc, char** argv) {
  int dashes = 2;
  while (dashes < argc && std::strcmp(argv[dashes], "--") != 0) ++dashes;
  if (argc < 2 || dashes + 1 >= argc) {
    std::fprintf(stderr, "usage: bench_measure RESULT_FILE [NAME=VALUE ...] -- PROGRAM ARGUMENT...\n");
    return 2;
  }
  const double start = now();
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 2; i < dashes; ++i) putenv(argv[i]);
    execvp(argv[dashes + 1], argv + dashes + 1);
    std::fprintf(stderr, "error: cannot run %s: %s\n", argv[dashes + 1], std::strerror(errno));
    _exit(127);
  }
  int status = 0;
  rusage usage;
  pid_t ended = -1;
  do {
    ended = child < 0 ? -1 : wait4(child, &status, 0, &usage);
  } while (ended < 0 && errno == EINTR);
  const double wall = now() - start;
  if (ended < 0) {
    std::perror("error: cannot start or wait for the program");
    return 1;
  }
  std::FILE* result = std::fopen(argv[1], "w");
  if (result == nullptr) {
    std::fprintf(stderr, "error: cannot write %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::fprintf(result,
               "{\"exit\": %d, \"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f, \"rss_kib\": %ld, \"minor_faults\": %ld, "
               "\"major_faults\": %ld, \"switches\": %ld}\n",
               code, wall, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, usage.ru_minflt,
               usage.ru_majflt, usage.ru_nvcsw + usage.ru_nivcsw);
  if (std::fclose(result) != 0) return 1;
  return code;
}
