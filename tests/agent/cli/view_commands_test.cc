// view_commands_test.cc - top, spans, classes, map and events against a real server with a registry
// filled by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "agent/cli/commands.h"
#include "agent/model/registry.h"
#include "agent/service/grpc_server.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kArena = 0x7f0000000000;

std::shared_ptr<Snapshot> heap_of(uint32_t pid, uint64_t live, size_t spans) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->identity.pid = pid;
  snapshot->identity.key = "liballoc." + std::to_string(pid) + ".1";
  snapshot->identity.service = "svc\x1b[2J";
  snapshot->time_unix_ns = 1700000060000000000;
  snapshot->memstats.heap_alloc = live;
  snapshot->memstats.sys = 2 * live;
  snapshot->memstats.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  snapshot->memstats.by_size[3].object_bytes = 32;
  snapshot->memstats.by_size[3].mallocs = 40;
  for (size_t i = 0; i < spans; ++i) {
    Span span;
    span.record = static_cast<uint32_t>(i);
    span.base = kArena + i * 8192;
    span.pages = 1;
    span.state = i % 2 == 0 ? LIBALLOC_SPAN_PARTIAL : LIBALLOC_SPAN_FREE;
    span.changed_unix_ns = snapshot->time_unix_ns - 30000000000;
    if (span.state == LIBALLOC_SPAN_PARTIAL) {
      span.size_class = 3;
      span.object_bytes = 32;
      span.objects = 256;
      span.allocated = 128;
    }
    snapshot->spans.push_back(span);
  }
  return snapshot;
}

std::vector<Event> span_events(uint64_t from, uint64_t to) {
  std::vector<Event> out;
  for (uint64_t i = from; i < to; ++i) {
    Event event;
    event.sequence = i;
    event.time_unix_ns = 1700000000123000000;
    event.kind = i % 2 == 0 ? LIBALLOC_EVENT_SPAN_ALLOC : LIBALLOC_EVENT_SPAN_FREE;
    event.a = kArena + i * 8192;
    event.b = 1;
    event.d = 3;
    out.push_back(event);
  }
  return out;
}

class ViewCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("LIBALLOC_AGENT");
    GrpcOptions options;
    options.listen = {"127.0.0.1:0"};
    ServiceContext context;
    context.registry = &registry_;
    server_ = std::make_unique<GrpcServer>(options, context);
    ASSERT_FALSE(server_->start());
  }

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
  size_t lines() {
    const std::string text = out_.str();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  Registry registry_;
  std::unique_ptr<GrpcServer> server_;
  std::ostringstream out_, err_;
};

TEST_F(ViewCommandsTest, TopShowsTheLargestHeapFirst) {
  registry_.publish(heap_of(7, 1000, 0));
  registry_.publish(heap_of(8, 5000, 0));
  auto ended = heap_of(9, 9000, 0);
  ended->state = ProcessState::kKilled;
  registry_.publish(ended);
  ASSERT_EQ(run({"top", "--count", "1"}), kCliOk) << err_.str();
  const std::string text = out_.str();
  EXPECT_LT(text.find("\n  8  "), text.find("\n  7  ")) << text;
  EXPECT_TRUE(printed("2 processes")) << text;
  EXPECT_TRUE(printed("50.0 %"));
  EXPECT_FALSE(printed("\x1b")) << "neither the process's bytes nor a screen control in a pipe";
  ASSERT_EQ(run({"top", "--count", "2", "--interval", "0.1", "--limit", "1", "--json"}), kCliOk);
  EXPECT_EQ(lines(), 2u);
}

TEST_F(ViewCommandsTest, SpansAreATableOfAllOrAFewOfThem) {
  registry_.publish(heap_of(7, 1000, 2500));
  ASSERT_EQ(run({"spans"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("2,500 spans"));
  EXPECT_EQ(lines(), 2503u) << "a line each, behind one header";
  EXPECT_TRUE(printed("0x7f0000000000           1")) << out_.str().substr(0, 600);
  EXPECT_TRUE(printed("50.0 %"));
  EXPECT_TRUE(printed("30 s"));
  ASSERT_EQ(run({"spans", "--state", "free", "--limit", "3"}), kCliOk);
  EXPECT_EQ(lines(), 6u);
  EXPECT_TRUE(printed("1,250 spans"));
  EXPECT_FALSE(printed("partial"));
  ASSERT_EQ(run({"spans", "--min-occupancy", "51"}), kCliOk);
  EXPECT_TRUE(printed(": 0 spans"));
  EXPECT_EQ(run({"spans", "--size", "31"}), kCliFailed);
  EXPECT_NE(err_.str().find("object_bytes: 31"), std::string::npos) << err_.str();
  ASSERT_EQ(run({"spans", "--size", "32", "--limit", "1", "--json"}), kCliOk);
  EXPECT_EQ(lines(), 1u);
  EXPECT_TRUE(printed("\"state\":\"SPAN_STATE_PARTIAL\"")) << out_.str();
}

TEST_F(ViewCommandsTest, ClassesSayWhereNothingIsKnown) {
  registry_.publish(heap_of(7, 1000, 10));
  ASSERT_EQ(run({"classes"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("WITH THREADS"));
  EXPECT_TRUE(printed("? where no live object is sampled")) << out_.str();
  EXPECT_TRUE(printed("\n  32      5  ")) << out_.str();
  const size_t used = lines();
  ASSERT_EQ(run({"classes", "--all"}), kCliOk);
  EXPECT_GT(lines(), used + 60);
  ASSERT_EQ(run({"classes", "--json"}), kCliOk);
  EXPECT_TRUE(printed("\"objectBytes\": 32"));
}

TEST_F(ViewCommandsTest, MapShowsArenasAndTheirRuns) {
  registry_.publish(heap_of(7, 1000, 10));
  ASSERT_EQ(run({"map"}), kCliOk) << err_.str();
  EXPECT_TRUE(printed("0x7f0000000000  40.0 KiB")) << out_.str();
  EXPECT_FALSE(printed("pages, idle"));
  ASSERT_EQ(run({"map", "--runs", "--address", "0x7f0000001000"}), kCliOk);
  EXPECT_TRUE(printed("0x7f0000002000  1 pages, idle")) << out_.str();
  EXPECT_EQ(run({"map", "--address", "0x1000"}), kCliNoProcess);
  EXPECT_NE(err_.str().find("0x1000"), std::string::npos);
}

TEST_F(ViewCommandsTest, EventsAreALineEachAndMissingOnesALineToo) {
  auto ended = heap_of(7, 1000, 0);
  ended->state = ProcessState::kKilled;
  ended->health.ring_events = ended->health.ring_read = 15;
  registry_.events().append(ended->identity.key, span_events(0, 10));
  registry_.publish(ended);
  ASSERT_EQ(run({"events", "--from-oldest"}), kCliOk) << err_.str();
  EXPECT_TRUE(
      printed("22:13:20.123         0        0  span-alloc     0x7f0000000000  1 pages of "
              "32 B slots\n"))
      << out_.str();
  EXPECT_TRUE(printed("-- 5 events missing: overwritten before the agent read them\n"));
  EXPECT_TRUE(printed("the process has ended: killed\n"));
  EXPECT_EQ(lines(), 12u);
  ASSERT_EQ(run({"events", "--from-oldest", "--kind", "span-free", "--count", "2"}), kCliOk);
  EXPECT_FALSE(printed("span-alloc"));
  EXPECT_TRUE(printed("span-free"));
  ASSERT_EQ(run({"events", "--from-oldest", "--json"}), kCliOk);
  EXPECT_TRUE(printed("\"kind\":\"EVENT_KIND_SPAN_ALLOC\""));
}

}  // namespace
}  // namespace liballoc::agent
