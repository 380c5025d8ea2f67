// text_test.cc - foreign bytes become safe text.
#include "agent/base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace liballoc::agent {
namespace {

constexpr char kReplaced[] = "\xEF\xBF\xBD";

TEST(TextTest, KeepsValidUtf8AsItIs) {
  for (const std::string text : {"", "plain", "gr\xC3\xBC\xC3\x9F", "\xE2\x82\xAC",
                                 "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(to_valid_utf8(text), text);
  }
}

TEST(TextTest, ReplacesEachMaximalSubpartOnce) {
  EXPECT_EQ(to_valid_utf8("a\xFFz"), std::string("a") + kReplaced + "z");
  EXPECT_EQ(to_valid_utf8("\x80"), kReplaced);
  EXPECT_EQ(to_valid_utf8("\xE2\x82"), kReplaced) << "cut in the middle: one subpart";
  EXPECT_EQ(to_valid_utf8("\xE2\x82q"), std::string(kReplaced) + "q");
  EXPECT_EQ(to_valid_utf8("\xC0\xAF"), std::string(kReplaced) + kReplaced) << "overlong";
  EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"), std::string(kReplaced) + kReplaced + kReplaced)
      << "surrogate";
  EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80"),
            std::string(kReplaced) + kReplaced + kReplaced + kReplaced)
      << "above U+10FFFF";
}

TEST(TextTest, AnyBytesBecomeValidAndStaySoWhenRepeated) {
  std::mt19937 random(20240501);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 12, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? 'a' : random());
    const std::string valid = to_valid_utf8(bytes);
    ASSERT_TRUE(is_valid_utf8(valid));
    ASSERT_EQ(to_valid_utf8(valid), valid);
    ASSERT_EQ(is_valid_utf8(bytes), valid == bytes);
    const std::string escaped = escape_control(bytes);
    ASSERT_TRUE(is_valid_utf8(escaped));
    for (const char c : escaped) ASSERT_FALSE(c >= 0 && c < 0x20) << "control character left";
  }
}

TEST(TextTest, EscapesWhatCouldForgeALineOrATerminalSequence) {
  EXPECT_EQ(escape_control("a\nb\tc\\d\x1b[31m\x7f"), "a\\nb\\tc\\\\d\\x1b[31m\\x7f");
  EXPECT_EQ(escape_control("\xC2\x9B"
                           "31m"),
            "\\x9b31m")
      << "the 8-bit control sequence introducer";
  EXPECT_EQ(escape_control("\xC3\xA4"), "\xC3\xA4");
}

TEST(TextTest, HexIsLowercaseAndPadded) {
  EXPECT_EQ(to_hex(std::array<uint8_t, 4>{0x00, 0x0f, 0xa0, 0xff}), "000fa0ff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(TextTest, DecimalTakesOnlyCanonicalNumbersThatFit) {
  uint64_t value = 7;
  EXPECT_TRUE(parse_decimal("0", value));
  EXPECT_EQ(value, 0u);
  EXPECT_TRUE(parse_decimal("18446744073709551615", value));
  EXPECT_EQ(value, UINT64_MAX);
  value = 7;
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "01", "0x1", "18446744073709551616",
                          "99999999999999999999", "1.0"}) {
    EXPECT_FALSE(parse_decimal(bad, value)) << bad;
    EXPECT_EQ(value, 7u) << "a refused number must not be written";
  }
}

}  // namespace
}  // namespace liballoc::agent
