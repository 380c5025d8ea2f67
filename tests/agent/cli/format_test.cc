// format_test.cc - figures for people.
#include "agent/cli/format.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

TEST(FormatTest, BytesChangeUnitWhereTheyShould) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(uint64_t{12} << 30), "12.0 GiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(FormatTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(1234567), "1,234,567");
}

TEST(FormatTest, TimesAreUtc) {
  EXPECT_EQ(human_time(1700000000), "2023-11-14 22:13:20");
  EXPECT_EQ(human_time(INT64_MAX), "-");
}

TEST(FormatTest, APartOfNothingIsNoPercentage) {
  EXPECT_EQ(human_percent(1, 8), "12.5 %");
  EXPECT_EQ(human_percent(0, 0), "-");
}

TEST(FormatTest, TablesAlignByCharactersAndEndWithoutBlanks) {
  TextTable table({TextTable::Align::kRight, TextTable::Align::kLeft, TextTable::Align::kLeft});
  table.add_row({"PID", "NAME", "NOTE"});
  table.add_row({"7", "\xc3\xa4pfel", "x"});
  table.add_row({"12345", "b"});
  EXPECT_EQ(table.str(),
            "  PID  NAME   NOTE\n"
            "    7  \xc3\xa4pfel  x\n"
            "12345  b\n");
}

TEST(FormatTest, NamesCannotReachTheTerminalAsCommands) {
  TextTable table({TextTable::Align::kLeft});
  table.add_row({"a\x1b[31m\nb"});
  EXPECT_EQ(table.str().find('\x1b'), std::string::npos);
  EXPECT_EQ(table.str().find('\n'), table.str().size() - 1);
}

}  // namespace
}  // namespace liballoc::agent
