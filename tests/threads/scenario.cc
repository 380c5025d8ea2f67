// scenario.cc - see scenario.h; and main(), which runs the scenario that the command line names.
#include "tests/threads/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "liballoc/telemetry_abi.h"

namespace scenario {

void fail(const char* file, int line, const char* what) {
  char text[512];
  const int n = snprintf(text, sizeof text, "%s:%d: [%d] not true: %s\n", file, line, getpid(), what);
  if (n > 0) static_cast<void>(!write(STDERR_FILENO, text, static_cast<size_t>(n)));
  _exit(1);
}

void skip(const char* reason) {
  printf("skipped: %s\n", reason);
  fflush(stdout);
  _exit(kSkipped);
}

Block make_block(size_t bytes, uint64_t stamp) {
  auto* data = static_cast<unsigned char*>(malloc(bytes));
  CHECK(data != nullptr);
  for (size_t i = 0; i < bytes; i++) data[i] = static_cast<unsigned char>((stamp + i) * 167 >> 3);
  return {data, bytes, stamp};
}

bool intact(const Block& block) {
  for (size_t i = 0; i < block.bytes; i++) {
    if (block.data[i] != static_cast<unsigned char>((block.stamp + i) * 167 >> 3)) return false;
  }
  return true;
}

void end_block(Block& block) {
  CHECK(intact(block));
  free(block.data);
  block = Block();
}

uint64_t Sizes::number() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return state_;
}

size_t Sizes::next() {
  const uint64_t n = number();
  if (n % 512 == 0) return 1 + (n >> 20) % (256 << 10);
  if (n % 32 == 0) return 1 + (n >> 20) % (40 << 10);
  return 1 + (n >> 20) % 700;
}

void churn(uint64_t seed, int rounds, size_t kept) {
  Sizes sizes(seed);
  std::vector<Block> blocks(kept);
  for (int i = 0; i < rounds; i++) {
    Block& block = blocks[sizes.number() % kept];
    if (block.data != nullptr) end_block(block);
    else block = make_block(sizes.next(), sizes.number());
  }
  for (Block& block : blocks) {
    if (block.data != nullptr) end_block(block);
  }
}

long resident_kib() {
  FILE* stream = fopen("/proc/self/statm", "re");
  CHECK(stream != nullptr);
  long total = 0, resident = 0;
  CHECK(fscanf(stream, "%ld %ld", &total, &resident) == 2);
  fclose(stream);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

std::vector<std::string> segments(pid_t pid) {
  std::vector<std::string> found;
  const char* directory = getenv("LIBALLOC_SHM_DIR");
  if (directory == nullptr) return found;
  const std::string prefix = pid == 0 ? "liballoc." : "liballoc." + std::to_string(pid) + ".";
  DIR* listing = opendir(directory);
  CHECK(listing != nullptr);
  while (const dirent* entry = readdir(listing)) {
    if (strncmp(entry->d_name, prefix.c_str(), prefix.size()) == 0) {
      found.push_back(std::string(directory) + "/" + entry->d_name);
    }
  }
  closedir(listing);
  return found;
}

uint64_t exit_state_of(const std::string& segment) {
  const int fd = open(segment.c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  uint64_t state = 0;
  CHECK(pread(fd, &state, sizeof state, offsetof(liballoc_abi_header, exit_state)) == sizeof state);
  close(fd);
  return state;
}

uint64_t backed_bytes_of(const std::string& segment) {
  struct stat status;
  CHECK(stat(segment.c_str(), &status) == 0);
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

int wait_for(pid_t child) {
  int status = 0;
  constexpr int kPollMicroseconds = 2000, kPatienceSeconds = 60;
  pid_t ended = 0;
  for (int i = 0; i < kPatienceSeconds * (1000000 / kPollMicroseconds) && ended == 0; i++) {
    ended = waitpid(child, &status, WNOHANG);
    if (ended == 0) usleep(kPollMicroseconds);
  }
  if (ended == 0) {
    fprintf(stderr, "process %d hangs\n", child);
    kill(child, SIGKILL);
  } else if (WIFSIGNALED(status)) {
    fprintf(stderr, "process %d was ended by signal %d\n", child, WTERMSIG(status));
  }
  CHECK(ended == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace scenario

namespace {

struct Named {
  const char* name;
  void (*run)();
};

#define SCENARIO(name) {#name, scenario::name}
constexpr Named kScenarios[] = {
    SCENARIO(small_stacks),
    SCENARIO(short_threads),
    SCENARIO(key_destructors),
    SCENARIO(thread_local_destructors),
    SCENARIO(owners_exit_first),
    SCENARIO(fork_while_allocating),
    SCENARIO(fork_of_a_fork),
    SCENARIO(fork_by_raw_clone),
    SCENARIO(daemon_call),
    SCENARIO(vfork_and_exec),
    SCENARIO(vfork_and_exit),
    SCENARIO(spawn),
    SCENARIO(quick_exit_runs_no_destructor),
    SCENARIO(exit_from_a_thread),
    SCENARIO(exec_from_a_thread),
#ifndef SCENARIO_STATIC
    SCENARIO(open_and_close_libraries),
    SCENARIO(open_libraries_in_threads),
#endif
    SCENARIO(handlers_that_allocate_in_slow_paths),
    SCENARIO(handlers_that_allocate_around_a_fork),
    SCENARIO(handlers_that_fork_in_slow_paths),
    SCENARIO(handlers_that_allocate_anywhere),
    SCENARIO(idle_program_shrinks),
    SCENARIO(little_work_after_a_burst_shrinks),
    SCENARIO(nothing_is_used_again),
    SCENARIO(little_address_space),
    SCENARIO(all_descriptors_closed),
    SCENARIO(another_user),
    SCENARIO(another_root),
    SCENARIO(memory_control_group),
    SCENARIO(transparent_huge_pages),
};

// What a program that was exec'd or spawned by a scenario does: works a little and ends with a known code.
int worker() {
  scenario::churn(5, 20000);
  return scenario::kWorkerDone;
}

// The same without C++ containers, which end the program when there is no memory: tells ENOMEM by its exit code.
int frugal() {
  static unsigned char* blocks[64];
  scenario::Sizes sizes(9);
  for (int i = 0; i < 20000; i++) {
    unsigned char*& block = blocks[i % 64];
    free(block);
    errno = 0;
    const size_t bytes = sizes.next();
    block = static_cast<unsigned char*>(malloc(bytes));
    if (block == nullptr) return errno == ENOMEM ? scenario::kFrugalRefused : 1;
    block[0] = block[bytes - 1] = 'f';
  }
  return scenario::kFrugalDone;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "worker") == 0) return worker();
  if (argc == 2 && strcmp(argv[1], "frugal") == 0) return frugal();
  for (const Named& named : kScenarios) {
    if (argc < 2 || strcmp(argv[1], named.name) != 0) continue;
    named.run();
    printf("%s: done\n", named.name);
    return 0;
  }
  fprintf(stderr, "usage: %s SCENARIO, one of:\n", argv[0]);
  for (const Named& named : kScenarios) fprintf(stderr, "  %s\n", named.name);
  return 2;
}
