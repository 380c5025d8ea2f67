// commands_test.cc - allocctl's commands against a real server with a registry filled by hand.
#include "agent/cli/commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "agent/model/registry.h"
#include "agent/service/grpc_server.h"

namespace liballoc::agent {
namespace {

std::shared_ptr<Snapshot> sample_process(uint32_t pid) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->identity.pid = pid;
  snapshot->identity.key = "liballoc." + std::to_string(pid) + ".1";
  snapshot->identity.start_time_unix_ns = 1700000000000000000;
  snapshot->identity.service = "web\x1b[2J";
  snapshot->identity.executable = "/usr/bin/web";
  snapshot->time_unix_ns = 1700000060000000000;
  MemStats& m = snapshot->memstats;
  m.heap_objects = 1234567;
  m.heap_alloc = m.alloc = 1536;
  m.total_alloc = 3072;
  m.mallocs = 2000000;
  m.frees = 765433;
  m.sys = uint64_t{5} << 20;
  m.sample_period = 524288;
  m.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  m.by_size[3].object_bytes = 24;
  m.by_size[3].mallocs = 10;
  m.by_size[3].frees = 4;
  m.by_size[3].live_bytes = 144;
  m.by_size[3].spans = 1;
  m.by_size[3].slots = 12;
  return snapshot;
}

class CommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("LIBALLOC_AGENT");
    GrpcOptions options;
    options.listen = {"127.0.0.1:0"};
    ServiceContext context;
    context.registry = &registry_;
    server_ = std::make_unique<GrpcServer>(options, context);
    ASSERT_FALSE(server_->start());
    char name[] = "/tmp/liballoc-cli-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  int run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    arguments.insert(arguments.end(), {"--agent", server_->addresses().front()});
    const auto parsed = parse_cli(arguments);
    if (const auto* over = std::get_if<CliOver>(&parsed)) {
      err_ << over->text;
      return over->status;
    }
    return run_cli(std::get<CliOptions>(parsed), out_, err_);
  }

  bool printed(const std::string& text) { return out_.str().find(text) != std::string::npos; }
  bool complained(const std::string& text) { return err_.str().find(text) != std::string::npos; }

  Registry registry_;
  std::unique_ptr<GrpcServer> server_;
  std::ostringstream out_, err_;
  std::string directory_;
};

TEST_F(CommandsTest, PsShowsAlignedFiguresAndNoEscapeSequences) {
  registry_.publish(sample_process(7));
  ASSERT_EQ(run({"ps"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("  7  running  2023-11-14 22:13:20  1.5 KiB  5.0 MiB")) << out_.str();
  EXPECT_TRUE(printed("/usr/bin/web\n"));
  EXPECT_FALSE(printed("\x1b"));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CommandsTest, PsAsJsonIsTheAgentsMessage) {
  registry_.publish(sample_process(7));
  ASSERT_EQ(run({"ps", "--json"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("\"key\": \"liballoc.7.1\"")) << out_.str();
  EXPECT_TRUE(printed("\"state\": \"PROCESS_STATE_RUNNING\""));
  EXPECT_TRUE(printed("\"heapAlloc\": \"1536\""));
}

TEST_F(CommandsTest, StatsNeedsNoPidWhereThereIsOneProcess) {
  registry_.publish(sample_process(7));
  auto ended = sample_process(6);
  ended->state = ProcessState::kExitedClean;
  registry_.publish(ended);
  ASSERT_EQ(run({"stats"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("pid 7, running, started 2023-11-14 22:13:20 UTC, key liballoc.7.1"));
  EXPECT_TRUE(printed("1,234,567"));
  EXPECT_TRUE(printed("in 2,000,000 allocations"));
  registry_.remove("liballoc.7.1");
  ASSERT_EQ(run({"stats"}), kCliOk) << "none runs, one ran";
  EXPECT_TRUE(printed("pid 6, exited"));
}

TEST_F(CommandsTest, AFaultIsShownWithItsStacks) {
  auto faulted = sample_process(7);
  faulted->state = ProcessState::kFaulted;
  faulted->modules.push_back({0x1000, 0x2000, 0, 0x1000, 0, 0, "/usr/bin/web", "ab"});
  faulted->stacks = {Stack{{0x1111}, false}};
  Fault fault;
  fault.code = LIBALLOC_FAULT_DOUBLE_FREE;
  fault.tid = 9;
  fault.message = "double free\x1b[2J: 0xc000001000";
  fault.fault_stack = 0;
  faulted->faults = {fault};
  registry_.publish(faulted);
  ASSERT_EQ(run({"stats"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("UTC in thread 9\n  double free")) << out_.str();
  EXPECT_TRUE(printed("  found at\n    0x1111 in /usr/bin/web\n")) << out_.str();
  EXPECT_FALSE(printed("\x1b"));
  ASSERT_EQ(run({"ps"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("pid 7: double free")) << out_.str();
}

TEST_F(CommandsTest, SeveralOrNoProcessesNeedAPid) {
  EXPECT_EQ(run({"stats"}), kCliNoProcess);
  EXPECT_TRUE(complained("the agent sees no process"));
  registry_.publish(sample_process(7));
  registry_.publish(sample_process(8));
  EXPECT_EQ(run({"stats"}), kCliNoProcess);
  EXPECT_TRUE(complained("liballoc.7.1") && complained("liballoc.8.1")) << err_.str();
  EXPECT_EQ(run({"stats", "8"}), kCliOk);
  EXPECT_TRUE(printed("pid 8,"));
  EXPECT_EQ(run({"stats", "liballoc.7.1"}), kCliOk);
  EXPECT_TRUE(printed("pid 7,"));
  EXPECT_EQ(run({"stats", "9"}), kCliNoProcess);
  EXPECT_TRUE(complained("pid 9"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(CommandsTest, StatsShowsUsedSizeClassesOnRequest) {
  registry_.publish(sample_process(7));
  ASSERT_EQ(run({"stats", "--classes"}), kCliOk);
  EXPECT_TRUE(printed("SLOTS USED"));
  EXPECT_TRUE(printed("24  144 B        6       10      4      1      50.0 %")) << out_.str();
}

TEST_F(CommandsTest, WatchPrintsALinePerReadingUntilItsCount) {
  registry_.publish(sample_process(7));
  ASSERT_EQ(run({"stats", "--watch", "--interval", "0.1", "--count", "3"}), kCliOk) << err_.str();
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4) << text;
  EXPECT_EQ(text.rfind("TIME", 0), 0u);
  ASSERT_EQ(run({"stats", "-w", "--interval", "0.1", "--count", "2", "--json"}), kCliOk);
  const std::string json = out_.str();
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 2) << "one line per message";
}

TEST_F(CommandsTest, WatchEndsWellWhenTheProcessEnds) {
  auto ended = sample_process(7);
  ended->state = ProcessState::kKilled;
  registry_.publish(ended);
  ASSERT_EQ(run({"stats", "7", "--watch"}), kCliOk);
  EXPECT_TRUE(printed("the process has ended: killed")) << out_.str();
}

TEST_F(CommandsTest, ProfileWritesTheFileItNames) {
  registry_.publish(sample_process(7));
  const std::string path = directory_ + "/p.gz";
  ASSERT_EQ(run({"profile", "7", "-o", path}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("wrote " + path + ": heap profile of pid 7"));
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(bytes.substr(0, 2), "\x1f\x8b");
  ASSERT_EQ(run({"profile", "7", "-o", path, "--kind", "allocs", "--json"}), kCliOk);
  EXPECT_TRUE(printed("\"kind\": \"PROFILE_KIND_ALLOCS\""));
}

TEST_F(CommandsTest, AProfileThatCannotBeMadeLeavesNoFile) {
  auto off = sample_process(7);
  off->memstats.sample_period = 0;
  registry_.publish(off);
  const std::string path = directory_ + "/p.gz";
  EXPECT_EQ(run({"profile", "7", "-o", path}), kCliFailed);
  EXPECT_TRUE(complained("sampling is off in pid 7"));
  EXPECT_FALSE(std::filesystem::exists(path));
  registry_.publish(sample_process(7));
  EXPECT_EQ(run({"profile", "7", "-o", directory_ + "/no/such/p.gz"}), kCliFailed);
  EXPECT_TRUE(complained("cannot write " + directory_ + "/no/such/p.gz"));
}

TEST_F(CommandsTest, NoAgentIsAnExitCodeOfItsOwn) {
  server_->stop();
  EXPECT_EQ(run({"ps"}), kCliUnreachable);
  EXPECT_TRUE(complained("no agent answers at 127.0.0.1:")) << err_.str();
}

}  // namespace
}  // namespace liballoc::agent
