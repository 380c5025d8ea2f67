// process_stats_test.cc - figures are given only for the very process that is meant.
#include "agent/discover/process_stats.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace liballoc::agent {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

ProcessIdentity identity_of(pid_t pid) {
  ProcessIdentity id;
  id.pid = static_cast<uint32_t>(pid);
  const auto stat = parse_proc_stat(text_of("/proc/" + std::to_string(pid) + "/stat"));
  if (stat) id.start_ticks = stat->start_ticks;
  struct stat info {};
  if (::stat("/proc/self/ns/pid", &info) == 0) {
    id.pid_namespace = static_cast<uint32_t>(info.st_ino);
  }
  return id;
}

TEST(ProcStatTest, FindsTheFieldsBehindAnyName) {
  const std::string tail = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20 21\n";
  for (const std::string name : {"(demo)", "(a b)", "(x) R 1 (y))", "()"}) {
    const auto stat = parse_proc_stat("42 " + name + tail);
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->start_ticks, 987654u) << name;
  }
  for (const std::string bad : {"", "42", "42 (x)", "42 (x) S 1 2 3", "42 (x) SS 1"}) {
    EXPECT_FALSE(parse_proc_stat(bad)) << bad;
  }
}

TEST(ProcStatusTest, FindsTheFourUserIds) {
  const auto ids = parse_proc_status_uids("Name:\tUid:\t9\nState:\tS\nUid:\t1000\t0\t7\t4294967295\nGid:\t5\n");
  ASSERT_TRUE(ids);
  EXPECT_EQ(*ids, (std::array<uid_t, 4>{1000, 0, 7, 4294967295}));
  for (const std::string bad : {"", "Name:\tx\n", "Name:\tx\nUid:\t1\t2\t3\nGid:\t4\n", "Name:\tx\nUid:\t1\tx\t3\t4\n"}) {
    EXPECT_FALSE(parse_proc_status_uids(bad)) << bad;
  }
}

TEST(ProcessStatsTest, AFileOfAnUnrelatedUserIsNotThisProcesses) {
  const ProcessStatsReader reader("/proc");
  const ProcessIdentity self = identity_of(::getpid());
  EXPECT_FALSE(reader.is_of_others(self, ::getuid()));
  EXPECT_FALSE(reader.is_of_others(self, 0)) << "a process may have been root when it made the file";
  EXPECT_TRUE(reader.is_of_others(self, ::getuid() + 4242));
  ProcessIdentity gone = self;
  ++gone.start_ticks;
  EXPECT_FALSE(reader.is_of_others(gone, ::getuid() + 4242)) << "nobody can say";
}

TEST(ProcessStatsTest, ReadsThisProcess) {
  const ProcessStatsReader reader("/proc");
  const auto stats = reader.read(identity_of(::getpid()));
  ASSERT_TRUE(stats);
  EXPECT_GT(stats->resident_bytes, 100000u);
  EXPECT_GE(stats->virtual_bytes, stats->resident_bytes);
}

TEST(ProcessStatsTest, RefusesAReusedPidAndAnotherNamespace) {
  const ProcessStatsReader reader("/proc");
  ProcessIdentity reused = identity_of(::getpid());
  ++reused.start_ticks;
  EXPECT_FALSE(reader.read(reused));
  ProcessIdentity elsewhere = identity_of(::getpid());
  ++elsewhere.pid_namespace;
  EXPECT_FALSE(reader.read(elsewhere));
  EXPECT_FALSE(ProcessStatsReader("/nonexistent").read(identity_of(::getpid())));
}

TEST(ProcessStatsTest, AZombieHasNoFigures) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (;;) ::pause();
  }
  const ProcessIdentity id = identity_of(child);
  const ProcessStatsReader reader("/proc");
  EXPECT_TRUE(reader.read(id));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(reader.read(id));
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(reader.read(id));
}

TEST(ProcessStatsTest, AProcessWhoseMainThreadHasEndedIsReadThroughAnother) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::thread([pid = ::getpid(), &ready] {
      // The main thread is over once the process's own state says so.
      while (parse_proc_stat(text_of("/proc/" + std::to_string(pid) + "/stat"))->state != 'Z') ::usleep(1000);
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto stats = ProcessStatsReader("/proc").read(identity_of(child));
  ASSERT_TRUE(stats);
  EXPECT_GT(stats->resident_bytes, 100000u);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace liballoc::agent
