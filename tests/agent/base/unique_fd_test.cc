// unique_fd_test.cc - a descriptor is closed exactly once, by its last owner.
#include "agent/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(UniqueFdTest, ClosesAtTheEndOfItsLife) {
  const int number = open_null();
  {
    const UniqueFd fd(number);
    EXPECT_TRUE(fd);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, MovingHandsTheDescriptorOver) {
  UniqueFd a(open_null());
  const int number = a.value();
  UniqueFd b(std::move(a));
  EXPECT_EQ(b.value(), number);
  UniqueFd c(open_null());
  const int replaced = c.value();
  c = std::move(b);
  EXPECT_EQ(c.value(), number);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFdTest, ReleaseKeepsItOpen) {
  UniqueFd fd(open_null());
  const int number = fd.release();
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

}  // namespace
}  // namespace liballoc::agent
