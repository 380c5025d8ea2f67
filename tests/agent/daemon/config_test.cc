// config_test.cc - the options of alloc-agent: defaults, files, and refusals that name flag, value
// and what is allowed.
#include "agent/daemon/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace liballoc::agent {
namespace {

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/liballoc-config-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& content) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    return path;
  }

  static AgentConfig accepted(const std::vector<std::string>& arguments) {
    const auto parsed = parse_config(arguments);
    if (const auto* over = std::get_if<ConfigExit>(&parsed)) {
      ADD_FAILURE() << over->text;
      return {};
    }
    return std::get<AgentConfig>(parsed);
  }

  static void refused(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& words) {
    const auto parsed = parse_config(arguments);
    const auto* over = std::get_if<ConfigExit>(&parsed);
    ASSERT_NE(over, nullptr) << words.front() << " was accepted";
    EXPECT_EQ(over->status, kExitUsage);
    for (const std::string& word : words) {
      EXPECT_NE(over->text.find(word), std::string::npos) << word << " is not in " << over->text;
    }
  }

  std::string directory_;
};

TEST_F(ConfigTest, DefaultsAreTheDocumentedOnes) {
  const AgentConfig config = accepted({});
  EXPECT_EQ(config.shm_dir, "/dev/shm");
  EXPECT_EQ(config.grpc_listen, std::vector<std::string>{"127.0.0.1:9891"});
  EXPECT_EQ(config.http_listen, "127.0.0.1:9890");
  EXPECT_EQ(config.retain_exited, std::chrono::minutes(15));
  EXPECT_EQ(config.log_level, LogLevel::kInfo);
}

TEST_F(ConfigTest, ReadsEveryFlag) {
  const AgentConfig config =
      accepted({"--shm-dir", "/x", "--grpc-listen", "127.0.0.1:1", "--grpc-listen", "unix:/s",
                "--http-listen", "[::1]:0", "--retain-exited=2h", "--log-level", "error"});
  EXPECT_EQ(config.shm_dir, "/x");
  EXPECT_EQ(config.grpc_listen, (std::vector<std::string>{"127.0.0.1:1", "unix:/s"}));
  EXPECT_EQ(config.http_listen, "[::1]:0");
  EXPECT_EQ(config.retain_exited, std::chrono::hours(2));
  EXPECT_EQ(config.log_level, LogLevel::kError);
}

TEST_F(ConfigTest, DurationsHaveAUnitAndABound) {
  EXPECT_EQ(*parse_seconds("0s"), std::chrono::seconds(0));
  EXPECT_EQ(*parse_seconds("90s"), std::chrono::seconds(90));
  EXPECT_EQ(*parse_seconds("15m"), std::chrono::minutes(15));
  EXPECT_EQ(*parse_seconds("30d"), std::chrono::hours(720));
  for (const char* bad : {"", "s", "15", "1.5h", "-1s", "+1s", " 1s", "1 s", "1w", "31d",
                          "2592001s", "99999999999999999999s", "0x1s"}) {
    refused({std::string("--retain-exited=") + bad}, {"--retain-exited"});
    EXPECT_FALSE(parse_seconds(bad).ok()) << bad;
  }
  refused({"--retain-exited", "5x"}, {"--retain-exited", "\"5x\"", "from 0s to 30d"});
}

TEST_F(ConfigTest, OpenAddressesNeedTlsOrAnExplicitFlag) {
  refused({"--grpc-listen", "0.0.0.0:9891"},
          {"--grpc-listen", "\"0.0.0.0:9891\"", "--insecure-listen"});
  refused({"--grpc-listen", "127.0.0.1:1", "--grpc-listen", "[::]:9891"}, {"\"[::]:9891\""});
  refused({"--http-listen", "0.0.0.0:9890"}, {"--http-listen", "--insecure-listen"});
  const AgentConfig config =
      accepted({"--grpc-listen", "0.0.0.0:1", "--http-listen", "0.0.0.0:2", "--insecure-listen"});
  EXPECT_EQ(config.http_listen, "0.0.0.0:2");
}

TEST_F(ConfigTest, TlsNeedsItsFilesTogetherAndReadable) {
  const std::string pem = file("a.pem", "-----BEGIN CERTIFICATE-----\n");
  const std::string junk = file("junk", "junk");
  refused({"--tls-cert", pem}, {"--tls-cert", "--tls-key"});
  refused({"--tls-key", pem}, {"--tls-key", "--tls-cert"});
  refused({"--tls-client-ca", pem}, {"--tls-client-ca", "--tls-cert"});
  refused({"--tls-cert", pem, "--tls-key", "/no/such"}, {"--tls-key", "/no/such", "No such file"});
  refused({"--tls-cert", junk, "--tls-key", pem}, {"--tls-cert", junk, "PEM"});
  refused({"--tls-cert", directory_, "--tls-key", pem}, {"--tls-cert", directory_});
  const AgentConfig config = accepted(
      {"--tls-cert", pem, "--tls-key", pem, "--tls-client-ca", pem, "--grpc-listen", "0.0.0.0:1"});
  EXPECT_EQ(config.tls_certificate_pem, "-----BEGIN CERTIFICATE-----\n");
  EXPECT_FALSE(config.tls_client_ca_pem.empty());
  refused({"--tls-cert", pem, "--tls-key", pem, "--http-listen", "0.0.0.0:2"}, {"--http-listen"});
}

TEST_F(ConfigTest, WhatThisVersionCannotDoIsRefused) {
  refused({"--token-file", "/x"}, {"--token-file", "not supported by this version"});
  refused({"--enable-control"}, {"--enable-control", "not supported by this version"});
}

TEST_F(ConfigTest, OtherWrongOptionsAreNamed) {
  refused({"--log-level", "loud"}, {"--log-level", "\"loud\"", "debug, info"});
  refused({"--shm-dir", ""}, {"--shm-dir"});
  refused({"--bogus"}, {"--bogus"});
  refused({"stray"}, {"stray"});
  refused({"--retain-exited"}, {"--retain-exited"});
  refused({"--shm-dir", "/a", "--shm-dir", "/b"}, {"--shm-dir"});
}

TEST_F(ConfigTest, AFileGivesOptionsAndTheCommandLineWins) {
  const std::string path = file("agent.toml",
                                "# the sidecar of web\n"
                                "shm-dir = \"/run/shm\"\n"
                                "grpc-listen = [\"127.0.0.1:1\", \"unix:/run/agent.sock\"]\n"
                                "retain-exited = \"90s\"\n"
                                "log-level = \"debug\"\n");
  const AgentConfig config = accepted({"--config", path, "--log-level", "error"});
  EXPECT_EQ(config.shm_dir, "/run/shm");
  EXPECT_EQ(config.grpc_listen, (std::vector<std::string>{"127.0.0.1:1", "unix:/run/agent.sock"}));
  EXPECT_EQ(config.retain_exited, std::chrono::seconds(90));
  EXPECT_EQ(config.log_level, LogLevel::kError);
}

TEST_F(ConfigTest, MistakesInAFileAreErrors) {
  refused({"--config", "/no/such"}, {"--config", "/no/such"});
  refused({"--config", file("a", "shm-dri = \"/x\"\n")}, {"--config", "shm-dri"});
  refused({"--config", file("b", "[agent]\nshm-dir = \"/x\"\n")},
          {"--config", "agent: no such section"});
  refused({"--config", file("c", "retain-exited = \"5x\"\n")}, {"--retain-exited", "\"5x\""});
  refused({"--config", file("d", "enable-control = true\n")}, {"--enable-control"});
}

TEST_F(ConfigTest, HelpNamesEveryFlag) {
  const auto parsed = parse_config({"--help"});
  const auto* over = std::get_if<ConfigExit>(&parsed);
  ASSERT_NE(over, nullptr);
  EXPECT_EQ(over->status, 0);
  for (const char* flag : {"--shm-dir", "--grpc-listen", "--http-listen", "--retain-exited",
                           "--config", "--tls-cert", "--tls-key", "--tls-client-ca", "--token-file",
                           "--enable-control", "--log-level", "--version", "--help"}) {
    EXPECT_NE(over->text.find(flag), std::string::npos) << flag;
  }
}

}  // namespace
}  // namespace liballoc::agent
