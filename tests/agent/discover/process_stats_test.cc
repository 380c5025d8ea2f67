// process_stats_test.cc - figures are given only for the very process that is meant.
#include "agent/discover/process_stats.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace liballoc::agent {
namespace {

ProcessIdentity identity_of(pid_t pid) {
  ProcessIdentity id;
  id.pid = static_cast<uint32_t>(pid);
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto stat = parse_proc_stat(text.str());
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

}  // namespace
}  // namespace liballoc::agent
