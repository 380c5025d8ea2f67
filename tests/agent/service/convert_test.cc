// convert_test.cc - no field of the model is left out of the messages, and none is mixed up with
// another.
#include "agent/messages/convert.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace liballoc::agent {
namespace {

// Fills memory that consists of uint64_t alone with numbers that differ.
void number(uint64_t* first, size_t count, uint64_t* next) {
  for (size_t i = 0; i < count; ++i) first[i] = ++*next;
}

// Every numeric leaf of `message`; a field that is not set is a failure.
void collect(const google::protobuf::Message& message, std::multiset<uint64_t>* values) {
  const auto* reflection = message.GetReflection();
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->is_repeated()) {
      EXPECT_GT(reflection->FieldSize(message, field), 0) << field->full_name();
      for (int j = 0; j < reflection->FieldSize(message, field); ++j) {
        if (field->message_type() == nullptr) continue;
        collect(reflection->GetRepeatedMessage(message, field, j), values);
      }
      continue;
    }
    EXPECT_TRUE(reflection->HasField(message, field)) << field->full_name() << " is left out";
    switch (field->cpp_type()) {
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT64:
        values->insert(reflection->GetUInt64(message, field));
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT32:
        values->insert(reflection->GetUInt32(message, field));
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE:
        if (field->message_type()->full_name() == "google.protobuf.Timestamp") {
          google::protobuf::Timestamp time;
          time.CopyFrom(reflection->GetMessage(message, field));
          values->insert(static_cast<uint64_t>(time.seconds()) * 1000000000u +
                         static_cast<uint64_t>(time.nanos()));
        } else {
          collect(reflection->GetMessage(message, field), values);
        }
        break;
      default:
        break;
    }
  }
}

TEST(ConvertTest, EveryFieldOfMemStatsArrivesOnce) {
  // All of MemStats before by_size is 8-byte integers: number them in place, then all must arrive.
  MemStats stats;
  uint64_t next = 1000;
  constexpr size_t kWords = offsetof(MemStats, by_size) / sizeof(uint64_t);
  static_assert(offsetof(MemStats, by_size) % sizeof(uint64_t) == 0);
  uint64_t words[kWords];
  number(words, kWords, &next);
  std::memcpy(static_cast<void*>(&stats), words, sizeof(words));
  SizeClassStats row;
  row.object_bytes = 1;
  row.span_pages = 2;
  row.objects_per_span = 3;
  number(&row.mallocs, 8, &next);
  ASSERT_EQ(row.requested_bytes_estimate, next);
  stats.by_size.push_back(row);

  pb::MemStats message;
  to_proto(stats, &message);
  std::multiset<uint64_t> values;
  collect(message, &values);
  std::multiset<uint64_t> expected = {1, 2, 3};
  for (uint64_t value = 1001; value <= next; ++value) expected.insert(value);
  EXPECT_EQ(values, expected);
  EXPECT_EQ(message.heap_alloc(), stats.heap_alloc);
  EXPECT_EQ(message.total_alloc(), stats.total_alloc);
  EXPECT_EQ(message.heap_released(), stats.heap_released);
  EXPECT_EQ(message.os_calls().failures(), stats.os_calls[7]);
  EXPECT_EQ(message.by_size(0).free_bytes(), row.free_bytes);
}

TEST(ConvertTest, EveryFieldOfReadHealthArrivesOnce) {
  ReadHealth health;
  uint64_t next = 0;
  number(&health.torn_records, sizeof(ReadHealth) / sizeof(uint64_t), &next);
  pb::ReadHealth message;
  to_proto(health, &message);
  std::multiset<uint64_t> values;
  collect(message, &values);
  EXPECT_EQ(values, (std::multiset<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ConvertTest, AProcessIsDescribedInFull) {
  Snapshot snapshot;
  ProcessIdentity& identity = snapshot.identity;
  identity = {"liballoc.7.8",
              7,
              1000,
              8,
              4026531836,
              6,
              1700000000123456789,
              "/usr/bin/x",
              {"x", "-v"},
              "web",
              "/system.slice",
              "host",
              "0.1.0",
              "abcd"};
  snapshot.state = ProcessState::kFaulted;
  snapshot.time_unix_ns = 1700000002000000000;
  snapshot.exit_time_unix_ns = 1700000001500000000;
  snapshot.memstats.heap_alloc = 11;
  snapshot.memstats.sys = 12;
  snapshot.memstats.resident_bytes = 13;
  snapshot.faults.resize(2);
  snapshot.faults[0].message = "double free";
  pb::Process process;
  to_proto(snapshot, &process);
  std::multiset<uint64_t> ignored;
  collect(process, &ignored);  // nothing is left out
  EXPECT_EQ(process.ref().pid(), 7u);
  EXPECT_EQ(process.ref().key(), "liballoc.7.8");
  EXPECT_EQ(process.ref().state(), pb::PROCESS_STATE_FAULTED);
  EXPECT_EQ(process.ref().start_time().seconds(), 1700000000);
  EXPECT_EQ(process.ref().start_time().nanos(), 123456789);
  EXPECT_EQ(process.command_line(1), "-v");
  EXPECT_EQ(process.exit_time().nanos(), 500000000);
  EXPECT_EQ(process.hostname(), "host");
  EXPECT_EQ(process.sys(), 12u);
  EXPECT_EQ(process.fault(), "double free");
}

TEST(ConvertTest, UnknownTimesAreAbsent) {
  Snapshot snapshot;
  pb::Process process;
  to_proto(snapshot, &process);
  EXPECT_FALSE(process.ref().has_start_time());
  EXPECT_FALSE(process.has_exit_time());
  EXPECT_EQ(process.ref().state(), pb::PROCESS_STATE_RUNNING);
}

TEST(ConvertTest, TimesBefore1970KeepTheirNanosPositive) {
  google::protobuf::Timestamp time;
  to_proto(-1, &time);
  EXPECT_EQ(time.seconds(), -1);
  EXPECT_EQ(time.nanos(), 999999999);
}

}  // namespace
}  // namespace liballoc::agent
