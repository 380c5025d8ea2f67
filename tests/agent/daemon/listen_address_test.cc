// listen_address_test.cc - addresses: what is one, and who can reach it.
#include "agent/daemon/listen_address.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

TEST(ListenAddressTest, ReadsTheThreeForms) {
  const auto v4 = parse_listen_address("127.0.0.1:9891");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 9891);
  const auto v6 = parse_listen_address("[::1]:0");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  const auto path = parse_listen_address("unix:/run/agent.sock");
  ASSERT_TRUE(path.ok());
  EXPECT_TRUE(path->is_unix);
  EXPECT_EQ(path->path, "/run/agent.sock");
}

TEST(ListenAddressTest, KnowsWhatOtherMachinesCanReach) {
  for (const char* local : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/x"}) {
    EXPECT_TRUE(parse_listen_address(local)->is_local()) << local;
  }
  for (const char* open : {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "host:1", "127.0.0.1.example:1",
                           "[::ffff:1.2.3.4]:1"}) {
    const auto address = parse_listen_address(open);
    ASSERT_TRUE(address.ok()) << open;
    EXPECT_FALSE(address->is_local()) << open;
  }
}

TEST(ListenAddressTest, RefusesEverythingElseByValue) {
  for (const char* bad : {"", "9891", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                          "127.0.0.1:-1", ":9891", "[::1:9891", "[nonsense]:1", "::1:9891",
                          "unix:relative", "unix:", "a b:1", "http://x:1"}) {
    const auto address = parse_listen_address(bad);
    ASSERT_FALSE(address.ok()) << bad;
    EXPECT_EQ(address.error().message.rfind("\"" + std::string(bad) + "\"", 0), 0u);
    EXPECT_NE(address.error().message.find("is allowed"), std::string::npos);
  }
}

}  // namespace
}  // namespace liballoc::agent
