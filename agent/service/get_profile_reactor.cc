// get_profile_reactor.cc - see get_profile_reactor.h. Must never encode on a gRPC thread.
#include "agent/service/get_profile_reactor.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "agent/pprof/heap_profile.h"
#include "agent/messages/convert.h"
#include "agent/service/request_checks.h"

namespace liballoc::agent {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;  // far below the 4 MiB at which clients refuse a message
constexpr std::chrono::milliseconds kMinDuration{1000};
constexpr std::chrono::milliseconds kMaxDuration{3600 * 1000};

grpc::Status sampling_off(const Snapshot& snapshot) {
  return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                      "sampling is off in pid " + std::to_string(snapshot.identity.pid) + " (" +
                          snapshot.identity.key +
                          "): it has no profile; LIBALLOC_SAMPLE_RATE of that process turns it on");
}

// A process that has sampled before has a profile, also when sampling is off now.
bool has_profile(const Snapshot& snapshot) {
  return snapshot.memstats.sample_period != 0 || !snapshot.buckets.empty();
}

}  // namespace

GetProfileReactor::GetProfileReactor(ServiceState& state,
                                     const grpc::CallbackServerContext& context,
                                     const pb::GetProfileRequest& request)
    : state_(state),
      deadline_(context.deadline()),
      request_(request),
      counted_(take_place(state.open_profiles, state.limits.max_profiles)),
      wakeup_(std::make_shared<Wakeup>(state.profiles)) {
  if (grpc::Status status = check_request(); !status.ok()) {
    Finish(status);
  } else if (!counted_) {
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "too many profiles are being made; at most " +
                            std::to_string(state.limits.max_profiles) + " at once are allowed"));
  } else {
    schedule(WorkQueue::Clock::now(), &GetProfileReactor::read_first);
  }
}

grpc::Status GetProfileReactor::check_request() {
  grpc::Status status = check_selector(request_.process());
  if (!status.ok()) return status;
  if (!pb::ProfileKind_IsValid(request_.kind())) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        "kind: " + std::to_string(request_.kind()) +
                            " is no kind of profile; PROFILE_KIND_HEAP and PROFILE_KIND_ALLOCS "
                            "are allowed");
  }
  if (request_.has_duration()) {
    status =
        check_duration("duration", request_.duration(), kMinDuration, kMaxDuration, &duration_);
    if (status.ok() && deadline_ - std::chrono::system_clock::now() < duration_) {
      status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                            "duration: the deadline of the call comes before its end");
    }
  }
  return status;
}

void GetProfileReactor::schedule(WorkQueue::Clock::time_point when,
                                 void (GetProfileReactor::*step)()) {
  const std::shared_ptr<Wakeup> wakeup = wakeup_;  // outlives this, which the step can end
  const bool armed = wakeup->arm(when, [this, step] {
    if (wakeup_->cancelled()) return Finish(grpc::Status::CANCELLED);
    if (state_.draining.load(std::memory_order_relaxed)) return Finish(draining_status());
    (this->*step)();
  });
  if (!armed) Finish(draining_status());
}

void GetProfileReactor::read_first() {
  const FoundOrStatus found = find_process(state_, request_.process(), deadline_);
  if (std::holds_alternative<grpc::Status>(found)) return Finish(std::get<grpc::Status>(found));
  const FoundProcess& target = std::get<FoundProcess>(found);
  if (!has_profile(*target.snapshot)) return Finish(sampling_off(*target.snapshot));
  if (duration_.count() == 0) return encode_and_send(target);
  before_ = target.snapshot;
  schedule(WorkQueue::Clock::now() + duration_, &GetProfileReactor::read_last);
}

void GetProfileReactor::read_last() {
  const FoundOrStatus found = find_process_again(state_, before_->identity.key, deadline_);
  if (std::holds_alternative<grpc::Status>(found)) return Finish(std::get<grpc::Status>(found));
  const FoundProcess& target = std::get<FoundProcess>(found);
  if (!same_program(target.snapshot->identity, before_->identity)) {
    return Finish(grpc::Status(grpc::StatusCode::ABORTED,
                               "the process was replaced by another program during the profile"));
  }
  encode_and_send(target);
}

void GetProfileReactor::encode_and_send(const FoundProcess& target) {
  const bool allocs = request_.kind() == pb::PROFILE_KIND_ALLOCS;
  const ProfileKind kind = allocs ? ProfileKind::kAllocs : ProfileKind::kHeap;
  ProfileOptions options;
  options.symbolize = !request_.skip_symbols();
  SymbolSource* symbols = request_.skip_symbols() ? nullptr : state_.context.symbols;
  EncodedProfile profile = before_ == nullptr
                               ? encode_profile(*target.snapshot, kind, options, symbols)
                               : encode_delta(*before_, *target.snapshot, kind, options, symbols);
  before_.reset();
  bytes_ = std::move(profile.bytes);

  pb::ProfileInfo& info = *response_.mutable_info();
  to_proto(*target.snapshot, info.mutable_process());
  to_proto(target.snapshot->time_unix_ns, info.mutable_collect_time());
  info.set_kind(allocs ? pb::PROFILE_KIND_ALLOCS : pb::PROFILE_KIND_HEAP);
  if (request_.has_duration()) *info.mutable_duration() = request_.duration();
  info.set_total_bytes(bytes_.size());
  info.set_content_type(profile.content_type);
  info.set_filename(profile.filename);
  info.set_stale(target.stale);
  send_piece();
}

void GetProfileReactor::send_piece() {
  const size_t size = std::min(kPieceBytes, bytes_.size() - sent_);
  response_.set_chunk(bytes_.data() + sent_, size);
  sent_ += size;
  StartWrite(&response_);
}

void GetProfileReactor::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  if (sent_ == bytes_.size()) return Finish(grpc::Status::OK);
  response_.clear_info();
  send_piece();
}

void GetProfileReactor::OnCancel() { wakeup_->cancel(); }

void GetProfileReactor::OnDone() {
  if (counted_) leave_place(state_.open_profiles);
  delete this;
}

}  // namespace liballoc::agent
