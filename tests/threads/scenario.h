// scenario.h - what the scenarios share: checks, stamped memory, and a look at the segments in LIBALLOC_SHM_DIR.
// A scenario is one way in which programs strain an allocator; it checks itself and ends the process at the first error.
// Must never use the allocator's own interfaces: the same program also runs with other allocators.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace scenario {

[[noreturn]] void fail(const char* file, int line, const char* what);
// The machine does not let the scenario happen; the reason is printed and the test counts as skipped.
[[noreturn]] void skip(const char* reason);

#define CHECK(condition) ((condition) ? void() : ::scenario::fail(__FILE__, __LINE__, #condition))

constexpr char kSelf[] = "/proc/self/exe";  // what exec() runs again
constexpr int kSkipped = 77;
constexpr int kWorkerDone = 23;                         // the exit code of "scenario worker"
constexpr int kFrugalDone = 24, kFrugalRefused = 25;  // of "scenario frugal"

// Memory that knows what must be in it: two blocks that share a byte cannot both be intact.
struct Block {
  unsigned char* data = nullptr;
  size_t bytes = 0;
  uint64_t stamp = 0;
};
Block make_block(size_t bytes, uint64_t stamp);  // fails when malloc does
bool intact(const Block& block);
void end_block(Block& block);  // checks, then frees

// A stream of sizes: mostly small, some of tens of kilobytes, few larger. Each seed gives its own.
class Sizes {
 public:
  explicit Sizes(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t number();
  size_t next();

 private:
  uint64_t state_;
};

// Allocates and frees `rounds` times with up to `kept` blocks at once, all checked; ends with none.
void churn(uint64_t seed, int rounds, size_t kept = 64);

long resident_kib();
// Paths of the segments of a process, of all when pid is 0. Empty when there is no segment directory to look at.
std::vector<std::string> segments(pid_t pid = 0);
uint64_t exit_state_of(const std::string& segment);  // enum liballoc_abi_exit
uint64_t backed_bytes_of(const std::string& segment);

// The child's exit status; fails when a signal ended it.
int wait_for(pid_t child);

// thread_scenarios.cc
void small_stacks();
void short_threads();
void key_destructors();
void thread_local_destructors();
void owners_exit_first();
// fork_scenarios.cc
void fork_while_allocating();
void fork_of_a_fork();
void fork_by_raw_clone();
void daemon_call();
// process_scenarios.cc
void vfork_and_exec();
void vfork_and_exit();
void spawn();
void quick_exit_runs_no_destructor();
void exit_from_a_thread();
void exec_from_a_thread();
// loader_scenarios.cc
void open_and_close_libraries();
void open_libraries_in_threads();
// signal_scenarios.cc
void handlers_that_allocate_in_slow_paths();
void handlers_that_allocate_around_a_fork();
void handlers_that_fork_in_slow_paths();
void handlers_that_allocate_anywhere();
// idle_scenarios.cc
void idle_program_shrinks();
void little_work_after_a_burst_shrinks();
// sbrk_scenarios.cc
void nothing_is_used_again();
// limit_scenarios.cc
void little_address_space();
void all_descriptors_closed();
void another_user();
void another_root();
void memory_control_group();
void transparent_huge_pages();

}  // namespace scenario
