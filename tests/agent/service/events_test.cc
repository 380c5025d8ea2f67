// events_test.cc - the Events service: each event once and in order, and an exact count of what is
// missing.
#include "liballoc/telemetry/v1/events.grpc.pb.h"
#include "tests/agent/service/span_fixture.h"

namespace liballoc::agent {
namespace {

std::vector<Event> some_events(uint64_t from, uint64_t to,
                               uint32_t kind = LIBALLOC_EVENT_SPAN_ALLOC) {
  std::vector<Event> out;
  for (uint64_t i = from; i < to; ++i) {
    Event event;
    event.sequence = i;
    event.time_unix_ns = 1700000000000000000 + static_cast<int64_t>(i);
    event.kind = kind;
    event.tid = 9;
    event.a = kSpanArena + i * 8192;
    event.b = 1;
    event.c = i;
    event.d = 3;
    out.push_back(event);
  }
  return out;
}

class EventsTest : public ServerTest {
 protected:
  using Reader = grpc::ClientReader<pb::WatchEventsResponse>;

  void SetUp() override {
    start();
    events_ = pb::Events::NewStub(channel_);
  }

  // Publishes a snapshot that knows of all events up to `read`.
  void publish(uint64_t read, ProcessState state = ProcessState::kRunning) {
    auto snapshot = process_with_spans(7, 1);
    snapshot->state = state;
    snapshot->health.ring_events = snapshot->health.ring_read = read;
    registry_.publish(snapshot);
  }
  void happen(const std::vector<Event>& events) {
    registry_.events().append("liballoc.7.100", events);
  }
  std::unique_ptr<Reader> watch(grpc::ClientContext& context, pb::WatchEventsRequest request) {
    request.mutable_process()->set_pid(7);
    request.mutable_interval()->set_nanos(10000000);
    return events_->WatchEvents(&context, request);
  }
  static pb::WatchEventsRequest from_oldest() {
    pb::WatchEventsRequest request;
    request.set_start(pb::EVENT_START_OLDEST);
    return request;
  }
  static void end(grpc::ClientContext& context, Reader& reader) {
    context.TryCancel();
    pb::WatchEventsResponse rest;
    while (reader.Read(&rest)) {
    }
    EXPECT_EQ(reader.Finish().error_code(), grpc::StatusCode::CANCELLED);
  }

  std::unique_ptr<pb::Events::Stub> events_;
};

TEST_F(EventsTest, ASampleSaysWhatItsThreadCarried) {
  std::vector<Event> events = some_events(0, 2, LIBALLOC_EVENT_SAMPLE);
  events[0].d |= uint64_t{1} << 32;           // of the first bucket
  events[1].d |= uint64_t{UINT32_MAX} << 32;  // of none
  happen(events);
  auto snapshot = process_with_spans(7, 1);
  snapshot->label_sets = {{}, {{"tenant", "acme"}}};
  snapshot->buckets.resize(1);
  snapshot->buckets[0].label_set = 1;
  snapshot->health.ring_events = snapshot->health.ring_read = 2;
  registry_.publish(snapshot);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse response;
  std::vector<pb::Event> got;
  while (got.size() < 2 && reader->Read(&response)) {
    got.insert(got.end(), response.events().begin(), response.events().end());
  }
  ASSERT_EQ(got.size(), 2u);
  ASSERT_EQ(got[0].sample().labels_size(), 1);
  EXPECT_EQ(got[0].sample().labels().at("tenant"), "acme");
  EXPECT_EQ(got[1].sample().labels_size(), 0);
  end(context, *reader);
}

TEST_F(EventsTest, FromTheOldestThenAsTheyCome) {
  happen(some_events(40, 50));
  publish(50);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.events_size(), 10);
  EXPECT_EQ(message.events(0).sequence(), 40u);
  EXPECT_EQ(message.overrun(), 0u) << "what was gone before the call is not missing from it";
  EXPECT_EQ(message.next_sequence(), 50u);
  EXPECT_EQ(message.process().key(), "liballoc.7.100");
  happen(some_events(50, 53));
  publish(53);
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.events_size(), 3);
  EXPECT_EQ(message.events(0).sequence(), 50u);
  const pb::Event& event = message.events(0);
  EXPECT_EQ(event.kind(), pb::EVENT_KIND_SPAN_ALLOC);
  EXPECT_EQ(event.tid(), 9u);
  EXPECT_EQ(event.span().base(), kSpanArena + 50 * 8192);
  EXPECT_EQ(event.span().object_bytes(), 32u);
  end(context, *reader);
}

TEST_F(EventsTest, FromNowLeavesOutWhatWas) {
  happen(some_events(0, 50));
  publish(60);  // the last ten were overwritten before they could be read
  grpc::ClientContext context;
  const auto reader = watch(context, {});
  pb::WatchEventsResponse message;
  ASSERT_TRUE(reader->Read(&message)) << "the first message says that the stream is there";
  EXPECT_EQ(message.events_size(), 0);
  EXPECT_EQ(message.overrun(), 0u);
  EXPECT_EQ(message.next_sequence(), 60u);
  happen(some_events(60, 61));
  publish(61);
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.events(0).sequence(), 60u);
  end(context, *reader);
}

TEST_F(EventsTest, WhatTheProcessOverwroteIsCountedExactly) {
  happen(some_events(0, 5));
  happen(some_events(12, 15));
  publish(20);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  std::vector<uint64_t> seen;
  std::vector<uint64_t> missing;
  while (seen.size() < 8 || missing.size() < 2) {
    ASSERT_TRUE(reader->Read(&message));
    if (message.overrun() != 0) missing.push_back(message.overrun());
    for (const pb::Event& event : message.events()) seen.push_back(event.sequence());
  }
  EXPECT_THAT(seen, testing::ElementsAre(0, 1, 2, 3, 4, 12, 13, 14));
  EXPECT_THAT(missing, testing::ElementsAre(7, 5)) << "in the middle, and at the end";
  EXPECT_EQ(message.next_sequence(), 20u);
  end(context, *reader);
}

TEST_F(EventsTest, ASlowReaderIsToldExactlyWhatItMissed) {
  happen(some_events(0, 1));
  publish(1);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  // Nothing is read while far more happens than the agent keeps or any buffer holds.
  constexpr uint64_t kEvents = 600000;
  for (uint64_t i = 1; i < kEvents; i += 500) {
    happen(some_events(i, std::min(i + 500, kEvents)));
    publish(std::min(i + 500, kEvents));
    if (i % 5000 == 1) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  uint64_t next = 1;
  uint64_t dropped = 0;
  while (next < kEvents) {
    ASSERT_TRUE(reader->Read(&message));
    ASSERT_LE(message.events_size(), 1000);
    EXPECT_EQ(message.overrun(), 0u);
    dropped += message.dropped();
    next += message.dropped();
    for (const pb::Event& event : message.events()) ASSERT_EQ(event.sequence(), next++);
    ASSERT_EQ(message.next_sequence(), next);
  }
  EXPECT_EQ(next, kEvents);
  EXPECT_GT(dropped, 0u);
  end(context, *reader);
}

TEST_F(EventsTest, FiltersByKindAndSize) {
  std::vector<Event> mixed = some_events(0, 10);
  mixed[3].kind = LIBALLOC_EVENT_SAMPLE;
  mixed[3].c = 32;
  mixed[4].kind = LIBALLOC_EVENT_SAMPLE;
  mixed[4].c = 1000000;
  mixed[5].d = 4;  // a span of another class
  mixed[6].kind = LIBALLOC_EVENT_HEAP_GROW;
  happen(mixed);
  publish(10);
  const auto sequences = [this](const pb::WatchEventsRequest& request) {
    grpc::ClientContext context;
    const auto reader = watch(context, request);
    pb::WatchEventsResponse message;
    EXPECT_TRUE(reader->Read(&message));
    EXPECT_EQ(message.next_sequence(), 10u) << "what is filtered out is passed";
    EXPECT_EQ(message.overrun() + message.dropped(), 0u) << "and not missing";
    end(context, *reader);
    std::vector<uint64_t> out;
    for (const pb::Event& event : message.events()) out.push_back(event.sequence());
    return out;
  };
  pb::WatchEventsRequest request = from_oldest();
  request.add_kinds(pb::EVENT_KIND_SAMPLE);
  request.add_kinds(pb::EVENT_KIND_HEAP_GROW);
  EXPECT_THAT(sequences(request), testing::ElementsAre(3, 4, 6));
  request = from_oldest();
  request.add_object_bytes(32);
  EXPECT_THAT(sequences(request), testing::ElementsAre(0, 1, 2, 3, 7, 8, 9));
  request = from_oldest();
  request.add_object_bytes(0);
  EXPECT_THAT(sequences(request), testing::ElementsAre(4)) << "a large object";
}

TEST_F(EventsTest, AnEventOfANewerLibraryIsSentAsItsWords) {
  std::vector<Event> events = some_events(0, 1, 4711);
  happen(events);
  publish(1);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.events_size(), 1);
  EXPECT_EQ(message.events(0).kind(), pb::EVENT_KIND_UNSPECIFIED);
  EXPECT_EQ(message.events(0).words_size(), 5);
  EXPECT_EQ(message.events(0).words(0), kSpanArena);
  end(context, *reader);
}

TEST_F(EventsTest, TheStreamEndsWithTheLastEventOfAProcess) {
  happen(some_events(0, 2500));
  publish(2510, ProcessState::kKilled);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  uint64_t events = 0;
  uint64_t missing = 0;
  while (reader->Read(&message)) {
    events += static_cast<uint64_t>(message.events_size());
    missing += message.overrun();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(events, 2500u);
  EXPECT_EQ(missing, 10u);
  EXPECT_EQ(message.process().state(), pb::PROCESS_STATE_KILLED);
}

TEST_F(EventsTest, AProgramThatIsReplacedEndsTheStream) {
  happen(some_events(0, 5));
  publish(5);
  grpc::ClientContext context;
  const auto reader = watch(context, from_oldest());
  pb::WatchEventsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  registry_.events().rename("liballoc.7.100", "liballoc.7.100#1");
  happen(some_events(0, 3));
  publish(3);
  while (reader->Read(&message)) {
  }
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("another program"));
}

TEST_F(EventsTest, RefusalsNameTheValue) {
  publish(0);
  const auto refusal = [this](pb::WatchEventsRequest request) {
    request.mutable_process()->set_pid(7);
    grpc::ClientContext context;
    const auto reader = events_->WatchEvents(&context, request);
    pb::WatchEventsResponse message;
    EXPECT_FALSE(reader->Read(&message));
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  pb::WatchEventsRequest request;
  request.add_kinds(static_cast<pb::EventKind>(99));
  EXPECT_THAT(refusal(request), testing::HasSubstr("kinds: 99"));
  request.Clear();
  request.add_object_bytes(31);
  EXPECT_THAT(refusal(request), testing::HasSubstr("object_bytes: 31"));
  request.Clear();
  request.mutable_interval()->set_nanos(1);
  EXPECT_THAT(refusal(request), testing::HasSubstr("interval"));
  request.Clear();
  request.set_start(static_cast<pb::EventStart>(5));
  EXPECT_THAT(refusal(request), testing::HasSubstr("start: 5"));
}

TEST_F(EventsTest, ADeadlineEndsTheStream) {
  publish(0);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  const auto reader = watch(context, {});
  pb::WatchEventsResponse message;
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace liballoc::agent
