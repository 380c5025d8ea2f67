// request_checks_test.cc - what clients may ask for, and what the refusal says.
#include "agent/service/request_checks.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;

grpc::Status check(int64_t seconds, int32_t nanos, std::chrono::nanoseconds* out) {
  google::protobuf::Duration value;
  value.set_seconds(seconds);
  value.set_nanos(nanos);
  return check_duration("interval", value, milliseconds(100), milliseconds(3600000), out);
}

TEST(RequestChecksTest, AdmitsDurationsWithinTheBounds) {
  std::chrono::nanoseconds out{};
  EXPECT_TRUE(check(0, 100000000, &out).ok());
  EXPECT_EQ(out, milliseconds(100));
  EXPECT_TRUE(check(3600, 0, &out).ok());
  EXPECT_EQ(out, std::chrono::hours(1));
}

TEST(RequestChecksTest, RefusesOtherDurationsByNameAndValue) {
  const std::pair<int64_t, int32_t> bad[] = {{0, 0},         {0, 99999999}, {3600, 1},
                                             {-1, 0},        {1, -1},       {1, 1000000000},
                                             {INT64_MAX, 0}, {INT64_MIN, 0}};
  for (const auto& [seconds, nanos] : bad) {
    std::chrono::nanoseconds out{42};
    const grpc::Status status = check(seconds, nanos, &out);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << seconds << " " << nanos;
    EXPECT_NE(status.error_message().find("interval: " + std::to_string(seconds) + " s"),
              std::string::npos);
    EXPECT_NE(status.error_message().find("from 100 ms to 3600 s"), std::string::npos);
    EXPECT_EQ(out.count(), 42) << "untouched when refused";
  }
}

TEST(RequestChecksTest, MasksKeepTheFieldsTheyName) {
  google::protobuf::FieldMask mask;
  mask.add_paths("heap_alloc");
  mask.add_paths("os_calls.failures");
  ASSERT_TRUE(check_mask(mask).ok());
  ::liballoc::telemetry::v1::MemStats stats;
  stats.set_heap_alloc(1);
  stats.set_mallocs(2);
  stats.mutable_os_calls()->set_failures(3);
  stats.mutable_os_calls()->set_map(4);
  apply_mask(mask, &stats);
  EXPECT_EQ(stats.heap_alloc(), 1u);
  EXPECT_EQ(stats.mallocs(), 0u);
  EXPECT_EQ(stats.os_calls().failures(), 3u);
  EXPECT_EQ(stats.os_calls().map(), 0u);
}

TEST(RequestChecksTest, AnEmptyMaskKeepsAll) {
  ::liballoc::telemetry::v1::MemStats stats;
  stats.set_mallocs(2);
  apply_mask({}, &stats);
  EXPECT_EQ(stats.mallocs(), 2u);
}

TEST(RequestChecksTest, RefusesMasksWithUnknownFields) {
  google::protobuf::FieldMask mask;
  mask.add_paths("next_gc");
  const grpc::Status status = check_mask(mask);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("\"next_gc\""), std::string::npos);
}

}  // namespace
}  // namespace liballoc::agent
