// call_counts.cc - see call_counts.h. Must never change or delay a call.
#include "agent/service/call_counts.h"

#include <google/protobuf/descriptor.h>

namespace liballoc::agent {
namespace {

constexpr const char* kOther = "other";

// As gRPC writes its codes everywhere.
std::string code_name(int code) {
  constexpr const char* kNames[] = {"OK",
                                    "CANCELLED",
                                    "UNKNOWN",
                                    "INVALID_ARGUMENT",
                                    "DEADLINE_EXCEEDED",
                                    "NOT_FOUND",
                                    "ALREADY_EXISTS",
                                    "PERMISSION_DENIED",
                                    "RESOURCE_EXHAUSTED",
                                    "FAILED_PRECONDITION",
                                    "ABORTED",
                                    "OUT_OF_RANGE",
                                    "UNIMPLEMENTED",
                                    "INTERNAL",
                                    "UNAVAILABLE",
                                    "DATA_LOSS",
                                    "UNAUTHENTICATED"};
  const bool known = code >= 0 && static_cast<size_t>(code) < std::size(kNames);
  return known ? kNames[code] : "UNKNOWN";
}

class CallCounter final : public grpc::experimental::Interceptor {
 public:
  CallCounter(CallCounts& counts, std::string method)
      : counts_(counts), method_(std::move(method)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      counts_.add(method_, methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  CallCounts& counts_;
  const std::string method_;
};

}  // namespace

void CallCounts::know(const std::string& service) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
  if (descriptor == nullptr) return;
  for (int i = 0; i < descriptor->method_count(); ++i) {
    known_.insert("/" + service + "/" + descriptor->method(i)->name());
  }
}

void CallCounts::add(const std::string& method, grpc::StatusCode code) {
  const std::string& name = known_.contains(method) ? method : kOther;
  const std::lock_guard lock(mutex_);
  ++counts_[{name, static_cast<int>(code)}];
}

std::vector<GrpcCallCount> CallCounts::list() const {
  std::vector<GrpcCallCount> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, count] : counts_) {
    out.push_back({key.first, code_name(key.second), count});
  }
  return out;
}

grpc::experimental::Interceptor* CallCounterFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
  return new CallCounter(counts_, info->method());
}

}  // namespace liballoc::agent
