// wire_writer_test.cc - the wire format byte by byte, from protobuf's documentation.
#include "agent/pprof/wire_writer.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

using std::string_literals::operator""s;

TEST(WireWriter, WritesVarintsInGroupsOfSevenBitsLowestFirst) {
  WireWriter w;
  w.uint64(1, 150);
  EXPECT_EQ(w.take(), "\x08\x96\x01"s);
}

TEST(WireWriter, LeavesOutZeros) {
  WireWriter w;
  w.uint64(1, 0);
  w.int64(2, 0);
  w.boolean(3, false);
  w.packed(4, std::vector<uint64_t>{});
  EXPECT_EQ(w.take(), "");
}

TEST(WireWriter, WritesNegativeNumbersAsTenBytes) {
  WireWriter w;
  w.int64(1, -1);
  EXPECT_EQ(w.take(), "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
}

TEST(WireWriter, WritesEmptyStringsOfRepeatedFields) {
  WireWriter w;
  w.bytes(6, "");
  w.bytes(6, "ab");
  EXPECT_EQ(w.take(), "\x32\x00\x32\x02"s + "ab");
}

TEST(WireWriter, PacksZerosToo) {
  WireWriter w;
  w.packed(2, std::vector<int64_t>{3, 0, 270});
  EXPECT_EQ(w.take(), "\x12\x04\x03\x00\x8e\x02"s);
}

TEST(WireWriter, WritesFieldNumbersAboveFifteen) {
  WireWriter w;
  w.uint64(16, 1);
  EXPECT_EQ(w.take(), "\x80\x01\x01"s);
}

}  // namespace
}  // namespace liballoc::agent
