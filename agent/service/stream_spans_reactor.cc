// stream_spans_reactor.cc - see stream_spans_reactor.h. Must never queue messages.
#include "agent/service/stream_spans_reactor.h"

#include <algorithm>
#include <variant>

#include "agent/messages/convert.h"
#include "agent/messages/span_messages.h"
#include "agent/service/error_status.h"
#include "agent/service/process_finder.h"

namespace liballoc::agent {
namespace {

constexpr size_t kSpansPerMessage = 1000;

}  // namespace

StreamSpansReactor::StreamSpansReactor(ServiceState& state,
                                       const grpc::CallbackServerContext& context,
                                       const pb::StreamSpansRequest& request)
    : state_(state),
      deadline_(context.deadline()),
      request_(request),
      counted_(take_place(state.open_watches, state.limits.max_watches)),
      wakeup_(std::make_shared<Wakeup>(state.reads)) {
  if (grpc::Status status = check_selector(request_.process()); !status.ok()) {
    Finish(status);
  } else if (!counted_) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open"));
  } else {
    const std::shared_ptr<Wakeup> wakeup = wakeup_;  // outlives this, which read() can end
    if (!wakeup->arm(WorkQueue::Clock::now(), [this] { read(); })) Finish(draining_status());
  }
}

void StreamSpansReactor::read() {
  if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
  if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
  const FoundOrStatus found = find_process(state_, request_.process(), deadline_);
  if (std::holds_alternative<grpc::Status>(found)) return Finish(std::get<grpc::Status>(found));
  const FoundProcess& target = std::get<FoundProcess>(found);
  snapshot_ = target.snapshot;
  const Result<SpanFilter> filter = span_filter(*snapshot_, request_.filter());
  if (!filter) return Finish(to_status(filter.error()));
  spans_ = matching_spans(*snapshot_, *filter);
  to_proto(*snapshot_, response_.mutable_process());
  to_proto(snapshot_->time_unix_ns, response_.mutable_collect_time());
  response_.set_total(spans_.size());
  response_.set_stale(target.stale);
  send_piece();
}

void StreamSpansReactor::send_piece() {
  const size_t end = std::min(spans_.size(), sent_ + kSpansPerMessage);
  for (; sent_ < end; ++sent_) to_proto(*snapshot_, *spans_[sent_], response_.add_spans());
  StartWrite(&response_);
}

void StreamSpansReactor::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  if (sent_ == spans_.size()) return Finish(grpc::Status::OK);
  if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
  response_.Clear();
  send_piece();
}

void StreamSpansReactor::OnCancel() { wakeup_->cancel(); }

void StreamSpansReactor::OnDone() {
  if (counted_) leave_place(state_.open_watches);
  delete this;
}

}  // namespace liballoc::agent
