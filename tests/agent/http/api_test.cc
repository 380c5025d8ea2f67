// api_test.cc - /api/v1: the messages of the gRPC services as JSON, through a real server.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "liballoc/telemetry/v1/events.pb.h"
#include "liballoc/telemetry/v1/spans.pb.h"
#include "liballoc/telemetry/v1/stats.pb.h"
#include "liballoc/telemetry/v1/targets.pb.h"
#include "tests/agent/http/test_server.h"

namespace liballoc::agent {
namespace {

namespace pb = ::liballoc::telemetry::v1;
using ::testing::HasSubstr;

constexpr uint64_t kArena = 0x7f0000000000;

class ApiTest : public ::testing::Test {
 protected:
  void publish(uint32_t pid, size_t spans) {
    auto snapshot = sample_process(pid, "shop");
    snapshot->spans = {};
    snapshot->memstats.by_size[3].object_bytes = 32;
    for (size_t i = 0; i < spans; ++i) {
      Span span;
      span.base = kArena + i * 8192;
      span.pages = 1;
      span.state = i % 2 == 0 ? LIBALLOC_SPAN_LARGE : LIBALLOC_SPAN_FREE;
      snapshot->spans.push_back(span);
    }
    snapshot->health.ring_events = snapshot->health.ring_read = 20;
    key_ = snapshot->identity.key;
    server_.registry.publish(snapshot);
  }
  template <typename Message>
  Message got(const std::string& target) {
    const Reply reply = server_.get(target);
    EXPECT_EQ(reply.status, 200) << target << ": " << reply.body;
    EXPECT_EQ(reply.header("content-type"), "application/json; charset=utf-8");
    Message message;
    const auto parsed = google::protobuf::util::JsonStringToMessage(reply.body, &message);
    EXPECT_TRUE(parsed.ok()) << reply.body;
    return message;
  }
  std::string refused(const std::string& target, int status) {
    const Reply reply = server_.get(target);
    EXPECT_EQ(reply.status, status) << target << ": " << reply.body;
    EXPECT_EQ(reply.header("content-type"), "application/json; charset=utf-8");
    EXPECT_EQ(reply.body.rfind("{\"error\": \"", 0), 0u) << reply.body;
    return reply.body;
  }

  TestServer server_;
  std::string key_;
};

TEST_F(ApiTest, ProcessesAndMemStatsAreTheMessagesOfGrpc) {
  publish(7, 3);
  const auto list = got<pb::ListProcessesResponse>("/api/v1/processes?state=running");
  ASSERT_EQ(list.processes_size(), 1);
  EXPECT_EQ(list.processes(0).ref().pid(), 7u);
  EXPECT_EQ(got<pb::ListProcessesResponse>("/api/v1/processes?state=killed").processes_size(), 0);
  const auto stats = got<pb::GetMemStatsResponse>("/api/v1/memstats?pid=7");
  EXPECT_EQ(stats.process().key(), key_);
  EXPECT_GT(stats.memstats().mallocs(), 0u);
  EXPECT_EQ(got<pb::GetMemStatsResponse>("/processes/" + key_ + "/api/v1/memstats").process().pid(),
            7u);
}

TEST_F(ApiTest, SpansAreFilteredAndPaged) {
  publish(7, 25);
  auto page = got<pb::ListSpansResponse>("/api/v1/spans?state=large&page_size=10");
  EXPECT_EQ(page.total(), 13u);
  ASSERT_EQ(page.spans_size(), 10);
  EXPECT_EQ(page.spans(9).base(), kArena + 18 * 8192);
  page = got<pb::ListSpansResponse>("/api/v1/spans?state=large&page_size=10&page_token=" +
                                    page.next_page_token());
  EXPECT_EQ(page.spans_size(), 3);
  EXPECT_EQ(page.next_page_token(), "");
  EXPECT_EQ(got<pb::ListSpansResponse>("/api/v1/spans?max_occupancy=0").total(), 12u);
  EXPECT_EQ(got<pb::ListSpansResponse>("/api/v1/spans?state=free,large").total(), 25u);
  EXPECT_EQ(got<pb::ListSpansResponse>("/api/v1/spans?object_bytes=0&object_bytes=32").total(),
            13u);
  server_.set_on_refresh([] {});
  EXPECT_EQ(server_.refreshed().back(), key_) << "read anew for each request";
}

TEST_F(ApiTest, SizeClassesAndTheAddressMap) {
  publish(7, 4);
  EXPECT_EQ(got<pb::GetSizeClassesResponse>("/api/v1/size_classes").classes_size(),
            LIBALLOC_ABI_SIZE_CLASSES);
  EXPECT_LT(got<pb::GetSizeClassesResponse>("/api/v1/size_classes?used_only=1").classes_size(), 60);
  const auto map = got<pb::GetAddressMapResponse>("/api/v1/address_map?include_runs=1");
  ASSERT_EQ(map.arenas_size(), 1);
  EXPECT_EQ(map.arenas(0).runs_size(), 5);
  EXPECT_THAT(refused("/api/v1/address_map?address=0x1000", 404), HasSubstr("0x1000"));
}

TEST_F(ApiTest, EventsArePolledFromASequence) {
  publish(7, 1);
  std::vector<Event> events;
  for (uint64_t i = 4; i < 20; ++i) {
    Event event;
    event.sequence = i;
    event.kind = i % 2 == 0 ? LIBALLOC_EVENT_SPAN_FREE : LIBALLOC_EVENT_HEAP_GROW;
    events.push_back(event);
  }
  events.erase(events.begin() + 6);  // event 10 was overwritten
  server_.registry.events().append(key_, events);
  auto reply = got<pb::WatchEventsResponse>("/api/v1/events");
  EXPECT_EQ(reply.events_size(), 15);
  EXPECT_EQ(reply.overrun(), 1u);
  EXPECT_EQ(reply.next_sequence(), 20u);
  reply = got<pb::WatchEventsResponse>("/api/v1/events?from_sequence=0&limit=3&kind=heap-grow");
  EXPECT_EQ(reply.events_size(), 1);
  EXPECT_EQ(reply.events(0).sequence(), 5u);
  EXPECT_EQ(reply.overrun(), 4u);
  EXPECT_EQ(reply.next_sequence(), 7u);
  reply = got<pb::WatchEventsResponse>("/api/v1/events?from_sequence=20");
  EXPECT_EQ(reply.events_size(), 0);
  EXPECT_EQ(reply.next_sequence(), 20u);
}

TEST_F(ApiTest, RefusalsAreJsonAndNameTheValue) {
  publish(7, 1);
  EXPECT_THAT(refused("/api/v1/spans?state=busy", 400), HasSubstr("\\\"busy\\\""));
  EXPECT_THAT(refused("/api/v1/spans?page_size=10001", 400), HasSubstr("10001"));
  EXPECT_THAT(refused("/api/v1/spans?min_occupancy=x", 400), HasSubstr("min_occupancy"));
  EXPECT_THAT(refused("/api/v1/spans?colour=red", 400), HasSubstr("colour"));
  EXPECT_THAT(refused("/api/v1/spans?pid=99", 404), HasSubstr("99"));
  EXPECT_THAT(refused("/api/v1/events?kind=sneeze", 400), HasSubstr("heap-grow"));
  EXPECT_THAT(refused("/api/v1/events?object_bytes=31", 400), HasSubstr("31"));
  EXPECT_THAT(refused("/api/v1/address_map?address=12", 400), HasSubstr("hexadecimal"));
  EXPECT_THAT(refused("/api/v1/size_classes?used_only=yes", 400), HasSubstr("yes"));
  publish(8, 1);
  EXPECT_THAT(refused("/api/v1/spans", 400), HasSubstr("which process"));
  EXPECT_EQ(server_.get("/api/v1/nothing").status, 404);
}

}  // namespace
}  // namespace liballoc::agent
