// spans_test.cc - the Spans service: every span once, in order, filtered, paged and streamed; size
// classes and the address map.
#include <cmath>
#include <set>

#include "liballoc/telemetry/v1/spans.grpc.pb.h"
#include "tests/agent/service/span_fixture.h"

namespace liballoc::agent {
namespace {

class SpansTest : public ServerTest {
 protected:
  void SetUp() override {
    start();
    spans_ = pb::Spans::NewStub(channel_);
  }

  grpc::Status list(const pb::ListSpansRequest& request, pb::ListSpansResponse* response) {
    grpc::ClientContext context;
    return spans_->ListSpans(&context, request, response);
  }
  std::string refusal(const pb::ListSpansRequest& request) {
    pb::ListSpansResponse response;
    const grpc::Status status = list(request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return status.error_message();
  }
  static pb::ListSpansRequest request_for(uint32_t pid) {
    pb::ListSpansRequest request;
    request.mutable_process()->set_pid(pid);
    return request;
  }

  std::unique_ptr<pb::Spans::Stub> spans_;
};

TEST_F(SpansTest, PagesTogetherAreAllSpansInOrderOnce) {
  registry_.publish(process_with_spans(7, 2503));
  pb::ListSpansRequest request = request_for(7);
  request.set_page_size(400);
  uint64_t last = 0;
  uint64_t seen = 0;
  int pages = 0;
  do {
    pb::ListSpansResponse response;
    const grpc::Status status = list(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.total(), 2503u);
    EXPECT_EQ(response.process().key(), "liballoc.7.100");
    for (const pb::Span& span : response.spans()) {
      EXPECT_GT(span.base(), last);
      last = span.base();
      ++seen;
    }
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, 2503u);
  EXPECT_EQ(pages, 7);
}

TEST_F(SpansTest, ASpanThatGoesBetweenTwoPagesCostsNoOther) {
  registry_.publish(process_with_spans(7, 10));
  pb::ListSpansRequest request = request_for(7);
  request.set_page_size(4);
  pb::ListSpansResponse first;
  ASSERT_TRUE(list(request, &first).ok());
  auto changed = process_with_spans(7, 10);
  SharedList<Span> left;
  for (const Span& span : changed->spans) {
    // Also the last one of the first page goes.
    if (span.record == 0 || span.record > 4) left.push_back(span);
  }
  changed->spans = left;
  registry_.publish(changed);
  request.set_page_token(first.next_page_token());
  pb::ListSpansResponse second;
  ASSERT_TRUE(list(request, &second).ok());
  ASSERT_EQ(second.spans_size(), 4);
  EXPECT_EQ(second.spans(0).record(), 5u);
  EXPECT_EQ(second.total(), 6u);
}

TEST_F(SpansTest, ASpanHasAllItsFields) {
  auto process = process_with_spans(7, 4);
  Span span = process->spans[3];
  span.flags = LIBALLOC_SPAN_FLAG_NOSCAN | LIBALLOC_SPAN_FLAG_SCAVENGED;
  process->spans = {span};
  registry_.publish(process);
  pb::ListSpansResponse response;
  ASSERT_TRUE(list(request_for(7), &response).ok());
  ASSERT_EQ(response.spans_size(), 1);
  const pb::Span& out = response.spans(0);
  EXPECT_EQ(out.base(), kSpanArena + 3 * 8192);
  EXPECT_EQ(out.pages(), 1u);
  EXPECT_EQ(out.bytes(), 8192u);
  EXPECT_EQ(out.state(), pb::SPAN_STATE_CACHED);
  EXPECT_EQ(out.size_class(), 3u);
  EXPECT_EQ(out.object_bytes(), 32u);
  EXPECT_EQ(out.objects(), 256u);
  EXPECT_EQ(out.allocated(), 64u);
  EXPECT_DOUBLE_EQ(out.occupancy(), 0.25);
  EXPECT_EQ(out.owner_tid(), 77u);
  EXPECT_EQ(out.change_time().seconds(), 1700000000);
  EXPECT_EQ(out.change_time().nanos(), 999999997);
  EXPECT_TRUE(out.noscan());
  EXPECT_TRUE(out.released());
  EXPECT_FALSE(out.need_zero());
  EXPECT_EQ(out.record(), 3u);
}

TEST_F(SpansTest, FiltersByStateSizeOccupancyAndAge) {
  registry_.publish(process_with_spans(7, 100));
  const auto total = [this](auto set) {
    pb::ListSpansRequest request = request_for(7);
    set(request.mutable_filter());
    pb::ListSpansResponse response;
    const grpc::Status status = list(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.total();
  };
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->add_states(pb::SPAN_STATE_FULL); }), 20u);
  EXPECT_EQ(total([](pb::SpanFilter* f) {
              f->add_states(pb::SPAN_STATE_FULL);
              f->add_states(pb::SPAN_STATE_FREE);
            }),
            40u);
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->add_object_bytes(32); }), 60u);
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->add_object_bytes(0); }), 20u) << "large objects";
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->add_object_bytes(48); }), 0u);
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->set_min_occupancy(0.3); }), 40u) << "full and large";
  EXPECT_EQ(total([](pb::SpanFilter* f) {
              f->set_min_occupancy(0.1);
              f->set_max_occupancy(0.25);
            }),
            40u);
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->set_max_occupancy(0); }), 20u) << "0 is a limit";
  EXPECT_EQ(total([](pb::SpanFilter* f) { f->mutable_min_age()->set_nanos(90); }), 10u);
}

TEST_F(SpansTest, RefusalsNameTheValueAndWhatIsAllowed) {
  registry_.publish(process_with_spans(7, 10));
  registry_.publish(process_with_spans(8, 10));
  pb::ListSpansRequest request = request_for(7);
  request.set_page_size(10001);
  EXPECT_THAT(refusal(request),
              testing::AllOf(testing::HasSubstr("page_size: 10001"), testing::HasSubstr("10000")));
  request = request_for(7);
  request.mutable_filter()->add_object_bytes(33);
  EXPECT_THAT(refusal(request),
              testing::AllOf(testing::HasSubstr("object_bytes: 33"), testing::HasSubstr("32, 48")));
  request = request_for(7);
  request.mutable_filter()->set_min_occupancy(1.5);
  EXPECT_THAT(refusal(request), testing::HasSubstr("min_occupancy: 1.5"));
  request.mutable_filter()->set_min_occupancy(std::nan(""));
  EXPECT_THAT(refusal(request), testing::HasSubstr("min_occupancy: nan"));
  request.mutable_filter()->set_min_occupancy(0.6);
  request.mutable_filter()->set_max_occupancy(0.5);
  EXPECT_THAT(refusal(request), testing::HasSubstr("above max_occupancy"));
  request = request_for(7);
  request.mutable_filter()->add_states(static_cast<pb::SpanState>(9));
  EXPECT_THAT(refusal(request), testing::HasSubstr("states: 9"));
  request = request_for(7);
  request.mutable_filter()->mutable_min_age()->set_seconds(-1);
  EXPECT_THAT(refusal(request), testing::HasSubstr("min_age: -1 s"));
  request = request_for(7);
  request.set_page_token("nonsense");
  EXPECT_THAT(refusal(request), testing::HasSubstr("page_token: \"nonsense\""));
  EXPECT_THAT(refusal(pb::ListSpansRequest()), testing::HasSubstr("process: not set"));
}

TEST_F(SpansTest, APageTokenBelongsToItsQuestion) {
  registry_.publish(process_with_spans(7, 10));
  registry_.publish(process_with_spans(8, 10));
  pb::ListSpansRequest request = request_for(7);
  request.set_page_size(2);
  pb::ListSpansResponse response;
  ASSERT_TRUE(list(request, &response).ok());
  request.set_page_token(response.next_page_token());
  request.mutable_process()->set_pid(8);
  EXPECT_THAT(refusal(request), testing::HasSubstr("another process or filter"));
  request.mutable_process()->set_pid(7);
  request.mutable_filter()->add_states(pb::SPAN_STATE_FULL);
  EXPECT_THAT(refusal(request), testing::HasSubstr("another process or filter"));
  request.clear_filter();
  EXPECT_TRUE(list(request, &response).ok());
}

TEST_F(SpansTest, AStreamIsTheSpansOfOneMoment) {
  registry_.publish(process_with_spans(7, 3500));
  pb::StreamSpansRequest request;
  request.mutable_process()->set_pid(7);
  grpc::ClientContext context;
  const auto reader = spans_->StreamSpans(&context, request);
  pb::StreamSpansResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.total(), 3500u);
  EXPECT_EQ(response.process().pid(), 7u);
  registry_.publish(process_with_spans(7, 1));  // what comes later does not matter
  std::set<uint64_t> bases;
  do {
    EXPECT_LE(response.spans_size(), 1000);
    for (const pb::Span& span : response.spans()) bases.insert(span.base());
  } while (reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(bases.size(), 3500u);
}

TEST_F(SpansTest, AStreamOfNothingIsOneMessage) {
  registry_.publish(process_with_spans(7, 0));
  pb::StreamSpansRequest request;
  request.mutable_process()->set_pid(7);
  grpc::ClientContext context;
  const auto reader = spans_->StreamSpans(&context, request);
  pb::StreamSpansResponse response;
  EXPECT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.total(), 0u);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
  grpc::ClientContext other;
  request.mutable_process()->set_pid(9);
  const auto missing = spans_->StreamSpans(&other, request);
  EXPECT_FALSE(missing->Read(&response));
  EXPECT_EQ(missing->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SpansTest, ACancelledStreamGivesItsPlaceBack) {
  GrpcOptions options;
  options.limits.max_watches = 1;
  server_->stop();
  start(options);
  spans_ = pb::Spans::NewStub(channel_);
  registry_.publish(process_with_spans(7, 200000));  // more than any buffer on the way holds
  pb::StreamSpansRequest request;
  request.mutable_process()->set_pid(7);
  {
    grpc::ClientContext context;
    const auto reader = spans_->StreamSpans(&context, request);
    pb::StreamSpansResponse response;
    ASSERT_TRUE(reader->Read(&response));
    grpc::ClientContext second;
    const auto refused = spans_->StreamSpans(&second, request);
    EXPECT_FALSE(refused->Read(&response));
    EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    context.TryCancel();
    while (reader->Read(&response)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(eventually([&] {
    grpc::ClientContext context;
    const auto reader = spans_->StreamSpans(&context, request);
    pb::StreamSpansResponse response;
    const bool open = reader->Read(&response);
    context.TryCancel();
    while (reader->Read(&response)) {
    }
    reader->Finish();
    return open;
  }));
}

TEST_F(SpansTest, SizeClassesSayWhatIsKnownAndWhatIsNot) {
  registry_.publish(process_with_spans(7, 100));
  pb::GetSizeClassesRequest request;
  request.mutable_process()->set_pid(7);
  pb::GetSizeClassesResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(spans_->GetSizeClasses(&context, request, &response).ok());
  }
  ASSERT_EQ(response.classes_size(), LIBALLOC_ABI_SIZE_CLASSES);
  const pb::SizeClass& row = response.classes(3);
  EXPECT_EQ(row.size_class(), 3u);
  EXPECT_EQ(row.object_bytes(), 32u);
  EXPECT_EQ(row.spans(), 60u);
  EXPECT_EQ(row.slots(), 60u * 256);
  EXPECT_EQ(row.live_objects(), 5u);
  EXPECT_FALSE(row.has_rounding_waste_bytes_estimate()) << "no samples: not known";
  EXPECT_EQ(response.classes(0).spans(), 20u) << "large objects";
  request.set_used_only(true);
  grpc::ClientContext context;
  ASSERT_TRUE(spans_->GetSizeClasses(&context, request, &response).ok());
  EXPECT_EQ(response.classes_size(), 2) << "large and the one in use";
}

TEST_F(SpansTest, TheAddressMapCoversEveryArena) {
  registry_.publish(process_with_spans(7, 8192 + 10));
  pb::GetAddressMapRequest request;
  request.mutable_process()->set_pid(7);
  pb::GetAddressMapResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(spans_->GetAddressMap(&context, request, &response).ok());
  }
  ASSERT_EQ(response.arenas_size(), 2);
  EXPECT_EQ(response.arena_bytes(), 67108864u);
  EXPECT_EQ(response.arenas(0).runs_size(), 0);
  EXPECT_EQ(response.arenas(0).spans(), 8192u);
  EXPECT_EQ(response.arenas(1).unknown_pages(), 8182u);
  request.set_include_runs(true);
  request.set_address(kSpanArena + 67108864 + 5);
  {
    grpc::ClientContext context;
    ASSERT_TRUE(spans_->GetAddressMap(&context, request, &response).ok());
  }
  ASSERT_EQ(response.arenas_size(), 1);
  EXPECT_EQ(response.arenas(0).base(), kSpanArena + 67108864);
  EXPECT_GT(response.arenas(0).runs_size(), 2);
  request.set_address(4096);
  grpc::ClientContext context;
  const grpc::Status status = spans_->GetAddressMap(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("0x1000"));
}

TEST_F(SpansTest, FiguresThatCouldNotBeReadInTimeAreStale) {
  registry_.publish(process_with_spans(7, 3));
  const Refreshing refreshing = on_refresh([](const std::string&, std::chrono::milliseconds) { return false; });
  pb::ListSpansResponse response;
  ASSERT_TRUE(list(request_for(7), &response).ok());
  EXPECT_TRUE(response.stale());
}

}  // namespace
}  // namespace liballoc::agent
