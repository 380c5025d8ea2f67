// fork_scenarios.cc - processes that come from fork: of a threaded program, several deep, by the raw system call, as daemons.
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

// Blocks that a parent made, to be found intact and freed by its child.
std::vector<Block> make_inheritance() {
  Sizes sizes(77);
  std::vector<Block> blocks;
  for (int i = 0; i < 2000; i++) blocks.push_back(make_block(sizes.next(), sizes.number()));
  return blocks;
}

// Every second first, so that spans are left half full before new blocks go in between.
void spend_inheritance(std::vector<Block> blocks) {
  for (size_t i = 0; i < blocks.size(); i += 2) end_block(blocks[i]);
  churn(31, 4000);
  for (size_t i = 1; i < blocks.size(); i += 2) end_block(blocks[i]);
}

}  // namespace

void fork_while_allocating() {
  const std::vector<Block> inheritance = make_inheritance();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; i++) {
    threads.emplace_back([&stop, i] {
      for (uint64_t round = 0; !stop.load(); round++) churn(i * 1000003 + round, 300, 32);
    });
  }
  // One more comes and goes, so that forks meet threads that begin and end.
  threads.emplace_back([&stop] {
    for (uint64_t round = 0; !stop.load(); round++) std::thread([round] { churn(round, 20, 8); }).join();
  });
  const char* wanted = getenv("FORK_TEST_FORKS");
  const int forks = wanted != nullptr ? atoi(wanted) : 30;
  CHECK(forks > 0);
  for (int i = 0; i < forks; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      spend_inheritance(inheritance);
      // The child is a whole program: threads of its own, and in part a normal end.
      std::thread([] { churn(41, 500); }).join();
      if (i % 3 == 0) exit(17);
      _exit(17);
    }
    CHECK(wait_for(child) == 17);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (Block block : inheritance) end_block(block);
}

void fork_of_a_fork() {
  std::vector<Block> inheritance = make_inheritance();
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    churn(51, 3000);
    const pid_t grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild == 0) {
      const pid_t last = fork();  // at once: its parent has not allocated yet
      CHECK(last >= 0);
      spend_inheritance(inheritance);
      if (last == 0) _exit(3);
      _exit(wait_for(last) + 1);
    }
    const int code = wait_for(grandchild);
    spend_inheritance(inheritance);
    _exit(code + 1);
  }
  CHECK(wait_for(child) == 5);
  spend_inheritance(std::move(inheritance));
}

void fork_by_raw_clone() {
  // No handler of pthread_atfork runs. By POSIX such a child of a single thread may do anything.
  std::vector<Block> inheritance = make_inheritance();
  const std::vector<std::string> before = segments(getpid());
  for (int i = 0; i < 30; i++) {
    const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    CHECK(child >= 0);
    if (child == 0) {
      spend_inheritance(inheritance);
      _exit(19);
    }
    CHECK(wait_for(static_cast<pid_t>(child)) == 19);
    churn(61, 500);
  }
  for (const std::string& segment : before) CHECK(exit_state_of(segment) == 0);
  CHECK(segments(getpid()) == before);
  spend_inheritance(std::move(inheritance));
}

void daemon_call() {
  std::vector<Block> inheritance = make_inheritance();
  int channel[2];
  CHECK(pipe(channel) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(daemon(1, 1) == 0);  // the child ends here, what goes on is its child
    spend_inheritance(inheritance);
    const std::vector<std::string> own = segments(getpid());
    const bool good = getenv("LIBALLOC_SHM_DIR") == nullptr || (own.size() == 1 && exit_state_of(own[0]) == 0);
    const char byte = good ? 'y' : 'n';
    CHECK(write(channel[1], &byte, 1) == 1);
    exit(0);
  }
  close(channel[1]);
  CHECK(wait_for(child) == 0);
  char byte = 0;
  CHECK(read(channel[0], &byte, 1) == 1);  // end of file: the daemon died
  CHECK(byte == 'y');
  spend_inheritance(std::move(inheritance));
}

}  // namespace scenario
