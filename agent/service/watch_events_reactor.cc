// watch_events_reactor.cc - see watch_events_reactor.h. Must never queue messages.
#include "agent/service/watch_events_reactor.h"

#include <algorithm>
#include <variant>

#include "agent/messages/convert.h"
#include "agent/service/error_status.h"
#include "agent/service/request_checks.h"

namespace liballoc::agent {
namespace {

constexpr size_t kEventsPerMessage = 1000;
constexpr std::chrono::milliseconds kMinEventsInterval{10};
constexpr std::chrono::milliseconds kMaxEventsInterval{3600 * 1000};

}  // namespace

WatchEventsReactor::WatchEventsReactor(ServiceState& state,
                                       const grpc::CallbackServerContext& context,
                                       const pb::WatchEventsRequest& request)
    : state_(state),
      deadline_(context.deadline()),
      request_(request),
      counted_(take_place(state.open_watches, state.limits.max_watches)),
      wakeup_(std::make_shared<Wakeup>(state.reads)) {
  if (grpc::Status status = check_request(); !status.ok()) {
    Finish(status);
  } else if (!counted_) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open"));
  } else {
    wait_and_read(WorkQueue::Clock::now());
  }
}

grpc::Status WatchEventsReactor::check_request() {
  grpc::Status status = check_selector(request_.process());
  if (status.ok() && request_.has_interval()) {
    status = check_duration("interval", request_.interval(), kMinEventsInterval, kMaxEventsInterval,
                            &interval_);
  }
  if (status.ok() && !pb::EventStart_IsValid(request_.start())) {
    status =
        grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                     "start: " + std::to_string(request_.start()) +
                         " is not allowed; EVENT_START_NOW (1) and EVENT_START_OLDEST (2) are");
  }
  if (status.ok()) {
    status = to_status([&]() -> Status {
      const auto filter = event_filter(nullptr, request_.kinds(), request_.object_bytes());
      return filter ? Status() : Status(failure(filter.error()));
    }());
  }
  return status;
}

void WatchEventsReactor::wait_and_read(WorkQueue::Clock::time_point when) {
  const std::shared_ptr<Wakeup> wakeup = wakeup_;  // outlives this, which read() can end
  if (!wakeup->arm(when, [this] { read(); })) Finish(draining_status());
}

grpc::Status WatchEventsReactor::begin(const FoundProcess& target) {
  const Snapshot& snapshot = *target.snapshot;
  const auto filter = event_filter(&snapshot, request_.kinds(), request_.object_bytes());
  if (!filter) return to_status(filter.error());
  filter_ = *filter;
  key_ = snapshot.identity.key;
  const EventLog& log = state_.context.registry->events();
  if (request_.start() == pb::EVENT_START_OLDEST) {
    cursor_ = log.oldest(key_);
    if (cursor_.log == 0) cursor_.next_sequence = snapshot.health.ring_read;
  } else {
    cursor_ = log.newest(key_);
    cursor_.next_sequence = std::max(cursor_.next_sequence, snapshot.health.ring_read);
  }
  return grpc::Status::OK;
}

bool WatchEventsReactor::fill(const Snapshot& snapshot, const EventBatch& batch) {
  response_.Clear();
  uint64_t overrun = batch.overrun;
  more_ = batch.more;
  // Nothing is left in the log: what the snapshot knows to have been there before is missing.
  if (batch.events.empty() && cursor_.next_sequence < snapshot.health.ring_read) {
    overrun += snapshot.health.ring_read - cursor_.next_sequence;
    cursor_.next_sequence = snapshot.health.ring_read;
  }
  more_ = more_ || cursor_.next_sequence < snapshot.health.ring_read;
  for (const Event& event : batch.events) {
    if (matches(filter_, snapshot, event)) to_proto(snapshot, event, response_.add_events());
  }
  response_.set_overrun(overrun);
  response_.set_dropped(batch.dropped);
  response_.set_next_sequence(cursor_.next_sequence);
  to_proto(snapshot, response_.mutable_process());
  to_proto(snapshot.time_unix_ns, response_.mutable_collect_time());
  ended_ = snapshot.state != ProcessState::kRunning && !more_;
  return ended_ || overrun != 0 || batch.dropped != 0 || response_.events_size() != 0;
}

void WatchEventsReactor::read() {
  if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
  if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
  const bool first = key_.empty();
  FoundOrStatus found = first ? find_process(state_, request_.process(), deadline_)
                              : find_process_again(state_, key_, deadline_);
  if (std::holds_alternative<grpc::Status>(found)) return Finish(std::get<grpc::Status>(found));
  const FoundProcess& target = std::get<FoundProcess>(found);
  if (first) {
    if (grpc::Status status = begin(target); !status.ok()) return Finish(status);
  }
  do {
    // The snapshot is older than the log: every event that it knows of and that was read is there.
    const EventBatch batch =
        state_.context.registry->events().read(key_, cursor_, kEventsPerMessage);
    if (batch.replaced) {
      return Finish(replaced_status());
    }
    if (fill(*target.snapshot, batch) || first) {
      // The client may have gone meanwhile. The lock also orders what was filled in before the next step, on whatever thread.
      if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
      return StartWrite(&response_);
    }
  } while (more_);  // what there was matches no filter
  wait_and_read(WorkQueue::Clock::now() + interval_);
}

void WatchEventsReactor::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  if (ended_) return Finish(grpc::Status::OK);
  const auto now = WorkQueue::Clock::now();
  wait_and_read(more_ ? now : now + interval_);
}

void WatchEventsReactor::OnCancel() { wakeup_->cancel(); }

void WatchEventsReactor::OnDone() {
  if (counted_) leave_place(state_.open_watches);
  delete this;
}

}  // namespace liballoc::agent
