// watch_memstats_reactor.cc - see watch_memstats_reactor.h. Must never queue messages.
#include "agent/service/watch_memstats_reactor.h"

#include <variant>

#include "agent/service/memstats_reply.h"

namespace liballoc::agent {
namespace {

constexpr std::chrono::milliseconds kMinMemStatsInterval{100};
constexpr std::chrono::milliseconds kMaxMemStatsInterval{3600 * 1000};

}  // namespace

WatchMemStatsReactor::WatchMemStatsReactor(ServiceState& state,
                                           const grpc::CallbackServerContext& context,
                                           const pb::WatchMemStatsRequest& request)
    : state_(state),
      deadline_(context.deadline()),
      request_(request),
      counted_(take_place(state.open_watches, state.limits.max_watches)),
      wakeup_(std::make_shared<Wakeup>(state.reads)),
      due_(WorkQueue::Clock::now()) {
  if (grpc::Status status = check_request(); !status.ok()) {
    Finish(status);
  } else if (!counted_) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open"));
  } else {
    wait_and_read();
  }
}

grpc::Status WatchMemStatsReactor::check_request() {
  grpc::Status status = check_selector(request_.process());
  if (status.ok()) status = check_mask(request_.field_mask());
  if (status.ok() && request_.has_interval()) {
    status = check_duration("interval", request_.interval(), kMinMemStatsInterval,
                            kMaxMemStatsInterval, &interval_);
  }
  return status;
}

void WatchMemStatsReactor::wait_and_read() {
  const std::shared_ptr<Wakeup> wakeup = wakeup_;  // outlives this, which read() can end
  if (!wakeup->arm(due_, [this] { read(); })) Finish(draining_status());
}

void WatchMemStatsReactor::read() {
  if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
  if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
  const FoundOrStatus found = key_.empty() ? find_process(state_, request_.process(), deadline_)
                                           : find_process_again(state_, key_, deadline_);
  if (std::holds_alternative<grpc::Status>(found)) return Finish(std::get<grpc::Status>(found));
  const FoundProcess& target = std::get<FoundProcess>(found);
  const ProcessIdentity& identity = target.snapshot->identity;
  if (key_.empty()) {
    key_ = identity.key;
    watched_ = identity;
  } else if (!same_program(watched_, identity)) {
    return Finish(replaced_status());
  }
  ended_ = target.snapshot->state != ProcessState::kRunning;
  fill_memstats(target, request_.field_mask(), &response_);
  response_.set_skipped(skipped_);
  // The client may have gone meanwhile. The lock also orders what was filled in before the next step, on whatever thread.
  if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
  StartWrite(&response_);
}

void WatchMemStatsReactor::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  if (ended_) return Finish(grpc::Status::OK);
  due_ += interval_;
  const auto late = WorkQueue::Clock::now() - due_;
  if (late >= interval_) {  // the readings that were due in between are left out, the newest is not
    const auto missed = late / interval_;
    skipped_ += static_cast<uint64_t>(missed);
    due_ += missed * interval_;
  }
  wait_and_read();
}

void WatchMemStatsReactor::OnCancel() { wakeup_->cancel(); }

void WatchMemStatsReactor::OnDone() {
  if (counted_) leave_place(state_.open_watches);
  delete this;
}

}  // namespace liballoc::agent
