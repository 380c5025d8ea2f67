// watch_processes_reactor.cc - see watch_processes_reactor.h. Must never queue messages.
#include "agent/service/watch_processes_reactor.h"

#include <chrono>
#include <utility>

#include "agent/messages/process_list.h"
#include "agent/service/error_status.h"
#include "agent/service/process_finder.h"

namespace liballoc::agent {
namespace {

// How soon a change is noticed. A look without a change compares one number.
constexpr std::chrono::milliseconds kLookInterval{100};

}  // namespace

WatchProcessesReactor::WatchProcessesReactor(ServiceState& state,
                                             const pb::WatchProcessesRequest& request)
    : state_(state),
      request_(request),
      counted_(take_place(state.open_watches, state.limits.max_watches)),
      wakeup_(std::make_shared<Wakeup>(state.reads)) {
  if (grpc::Status status = to_status(check_states(request_.states())); !status.ok()) {
    Finish(status);
  } else if (!counted_) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open"));
  } else {
    wait_and_look(WorkQueue::Clock::now());
  }
}

void WatchProcessesReactor::wait_and_look(WorkQueue::Clock::time_point when) {
  const std::shared_ptr<Wakeup> wakeup = wakeup_;  // outlives this, which look() can end
  if (!wakeup->arm(when, [this] { look(); })) Finish(draining_status());
}

void WatchProcessesReactor::look() {
  if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
  if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
  const Registry& registry = *state_.context.registry;
  const uint64_t version = registry.version();  // before the list: a change in between is seen
  if (first_ || version != seen_version_) {
    seen_version_ = version;
    const SnapshotList list = processes_in(registry, request_.states());
    std::string now = membership(list);
    if (first_ || now != sent_) {
      first_ = false;
      sent_ = std::move(now);
      fill_process_list(list, &response_);
      // The client may have gone meanwhile. The lock also orders what was filled in before the next step, on whatever thread.
      if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
      return StartWrite(&response_);
    }
  }
  wait_and_look(WorkQueue::Clock::now() + kLookInterval);
}

void WatchProcessesReactor::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  wait_and_look(WorkQueue::Clock::now() + kLookInterval);
}

void WatchProcessesReactor::OnCancel() { wakeup_->cancel(); }

void WatchProcessesReactor::OnDone() {
  if (counted_) leave_place(state_.open_watches);
  delete this;
}

}  // namespace liballoc::agent
