// check_test.cc - bounded lines and fatal reports.
#include "liballoc/base/check.h"

#include <gtest/gtest.h>

#include <string>

namespace liballoc {
namespace {

TEST(LineBufferTest, FormatsTextAndNumbers) {
  LineBuffer line;
  line.text("a=").dec(0).text(" b=").dec(UINT64_MAX).text(" c=").hex(0).text(" d=").hex(0xdeadbeef);
  EXPECT_EQ(std::string(line.data(), line.size()), "a=0 b=18446744073709551615 c=0x0 d=0xdeadbeef");
}

TEST(LineBufferTest, CutsWhatDoesNotFit) {
  LineBuffer line;
  const std::string many(400, 'x');
  for (int i = 0; i < 5; i++) line.text(many.c_str());
  EXPECT_EQ(line.size(), 511u);
}

TEST(CheckDeathTest, AFailedCheckNamesTheConditionAndAborts) {
  EXPECT_DEATH(LIBALLOC_CHECK(1 + 1 == 3), "check failed: 1 \\+ 1 == 3 at .*check_test.cc:");
}

TEST(CheckDeathTest, TheHookSeesTheMessageBeforeTheProcessEnds) {
  EXPECT_DEATH(
      {
        set_fatal_hook([](const FatalFault& fault) {
          LineBuffer line;
          line.text("hook saw: ").text(fault.message, fault.size);
          line.write_to_stderr();
        });
        LIBALLOC_CHECK(false);
      },
      "hook saw: liballoc: check failed: false");
}

}  // namespace
}  // namespace liballoc
