// start_test.cc - the start of a program under the preloaded library: what it says of the program, and what it adds to a program that
// does nothing, in page faults and system calls. Those are what a start costs, and they are the same on a busy machine. A figure over
// its budget is a regression to be explained or a budget to be raised, by whoever has measured what it buys.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

using Words = std::vector<std::string>;

std::vector<char*> pointers_to(const Words& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// `traced` stops it at every system call.
pid_t start(const char* program, const Words& arguments, const Words& environment, bool traced = false) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (traced) ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  execve(program, pointers_to(arguments).data(), pointers_to(environment).data());
  _exit(127);
}

long faults_of(const Words& environment) {
  std::vector<long> faults;
  for (int i = 0; i < 15; i++) {
    const pid_t pid = start("/bin/true", {"true"}, environment);
    int status = 0;
    rusage usage = {};
    EXPECT_EQ(wait4(pid, &status, 0, &usage), pid);
    EXPECT_EQ(status, 0);
    faults.push_back(usage.ru_minflt);
  }
  std::sort(faults.begin(), faults.end());
  return faults[faults.size() / 2];
}

long calls_of_one(const Words& environment) {
  const pid_t pid = start("/bin/true", {"true"}, environment, true);
  int status = 0;
  long stops = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);  // the exec
  while (WIFSTOPPED(status)) {
    if (ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) != 0 || waitpid(pid, &status, 0) != pid) break;
    stops++;
  }
  EXPECT_EQ(status, 0);
  return stops / 2;  // each stops before and after
}

// One start in sixteen looks for old segments, by chance: of several starts the cheapest counts.
long calls_of(const Words& environment) {
  long least = LONG_MAX;
  for (int i = 0; i < 5; i++) least = std::min(least, calls_of_one(environment));
  return least;
}

class StartTest : public testing::Test {
 protected:
  Words preloaded(const char* telemetry) const {
    return {std::string("LD_PRELOAD=") + LIBALLOC_TEST_PRELOAD, "LIBALLOC_SHM_DIR=" + dir_.path(),
            std::string("LIBALLOC_TELEMETRY=") + telemetry};
  }
  // The command line that a shell with these arguments, which goes on until it is killed, has published once it is up.
  std::string published(Words arguments, std::string* of_proc) const {
    arguments.insert(arguments.begin(), {"sh", "-c", "while :; do :; done"});
    const pid_t pid = start("/bin/sh", arguments, preloaded("1"));
    std::string text;
    for (int i = 0; i < 5000 && text.empty(); i++, usleep(1000)) {
      const std::vector<std::string> files = dir_.files();
      if (files.empty()) continue;
      const FileView file(dir_.path() + "/" + files.front());
      if (!file.ok() || file.stored_bytes() == 0 || file.header().magic != LIBALLOC_ABI_MAGIC) continue;
      const auto who = file.records<liballoc_abi_identity>(LIBALLOC_SECTION_IDENTITY).at(0);
      text.assign(who.command_line, who.command_line_bytes);
      std::ifstream proc("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
      of_proc->assign(std::istreambuf_iterator<char>(proc), {});
    }
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return text;
  }
  TempDir dir_;
};

TEST_F(StartTest, TheCommandLineIsWhatProcSays) {
  std::string of_proc;
  const std::string text = published({"two words", "", "a=\"b\"", "-"}, &of_proc);
  EXPECT_EQ(text + '\0', of_proc);
}

TEST_F(StartTest, ALongCommandLineIsCut) {
  std::string of_proc;
  const std::string text = published({std::string(1000, 'a'), std::string(1000, 'b')}, &of_proc);
  EXPECT_EQ(text, of_proc.substr(0, sizeof(liballoc_abi_identity::command_line) - 1));
}

TEST_F(StartTest, FaultsOverNone) {
  const long none = faults_of({});
  EXPECT_LE(faults_of(preloaded("1")) - none, 32);  // 27: a page that is populated counts as a fault
  EXPECT_LE(faults_of(preloaded("0")) - none, 20);  // 16
}

TEST_F(StartTest, SystemCallsOverNone) {
  const long none = calls_of({});
  if (none == 0) GTEST_SKIP() << "no process may be traced here";
  EXPECT_LE(calls_of(preloaded("1")) - none, 55);  // 50
  EXPECT_LE(calls_of(preloaded("0")) - none, 18);  // 16
}

}  // namespace
}  // namespace liballoc
