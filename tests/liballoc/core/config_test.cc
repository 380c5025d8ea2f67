// config_test.cc - environment variables: what is understood, and what is said of the rest.
#include "liballoc/core/config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace liballoc {
namespace {

std::vector<std::string> g_lines;

Config parse(std::vector<const char*> environment) {
  g_lines.clear();
  environment.push_back(nullptr);
  Config config;
  parse_config(environment.data(), &config, [](const char* line) { g_lines.emplace_back(line); });
  return config;
}

TEST(ConfigTest, DefaultsHoldWithoutVariables) {
  const Config c = parse({"PATH=/bin", "LIBALLOCX=1"});
  EXPECT_TRUE(c.telemetry);
  EXPECT_FALSE(c.keep_segment);
  EXPECT_EQ(c.sample_rate, 524288u);
  EXPECT_EQ(c.soft_limit, 0u);
  EXPECT_STREQ(c.shm_dir, "/dev/shm");
  EXPECT_TRUE(g_lines.empty());
}

TEST(ConfigTest, EveryVariableIsUnderstood) {
  const Config c = parse({"LIBALLOC_TELEMETRY=0", "LIBALLOC_KEEP_SEGMENT=1", "LIBALLOC_VERBOSE=1",
                          "LIBALLOC_SAMPLE_RATE=1M", "LIBALLOC_SBRK=1", "LIBALLOC_SCAVENGE_THREAD=1", "LIBALLOC_SOFT_LIMIT=3G", "LIBALLOC_SHM_DIR=/run/x",
                          "LIBALLOC_SERVICE=shop", "LIBALLOC_AGENT=127.0.0.1:1"});
  EXPECT_FALSE(c.telemetry);
  EXPECT_TRUE(c.keep_segment);
  EXPECT_TRUE(c.verbose);
  EXPECT_TRUE(c.sbrk);
  EXPECT_TRUE(c.scavenge_thread);
  EXPECT_EQ(c.sample_rate, uint64_t{1} << 20);
  EXPECT_EQ(c.soft_limit, uint64_t{3} << 30);
  EXPECT_STREQ(c.shm_dir, "/run/x");
  EXPECT_STREQ(c.service, "shop");
  EXPECT_TRUE(g_lines.empty());
}

TEST(ConfigTest, AMalformedValueIsNamedOnceWithWhatIsAllowedAndIgnored) {
  for (const char* bad : {"LIBALLOC_TELEMETRY=yes", "LIBALLOC_TELEMETRY=", "LIBALLOC_SAMPLE_RATE=12x",
                          "LIBALLOC_SAMPLE_RATE=-1", "LIBALLOC_SAMPLE_RATE=99999999999999999999",
                          "LIBALLOC_SOFT_LIMIT=20000000000G", "LIBALLOC_SHM_DIR=relative"}) {
    const Config c = parse({bad});
    ASSERT_EQ(g_lines.size(), 1u) << bad;
    EXPECT_NE(g_lines[0].find(bad), std::string::npos) << g_lines[0];
    EXPECT_NE(g_lines[0].find("must be"), std::string::npos) << g_lines[0];
    EXPECT_TRUE(c.telemetry);
    EXPECT_EQ(c.sample_rate, kDefaultSampleRate);
    EXPECT_EQ(c.soft_limit, 0u);
    EXPECT_STREQ(c.shm_dir, "/dev/shm");
  }
}

TEST(ConfigTest, AnUnknownVariableIsNamed) {
  parse({"LIBALLOC_SAMPEL_RATE=1"});
  ASSERT_EQ(g_lines.size(), 1u);
  EXPECT_NE(g_lines[0].find("LIBALLOC_SAMPEL_RATE=1: unknown variable"), std::string::npos) << g_lines[0];
}

TEST(ConfigTest, OverlongNamesAndValuesAreSafe) {
  const std::string name = "LIBALLOC_" + std::string(1000, 'A') + "=1";
  const std::string value = "LIBALLOC_SERVICE=" + std::string(5000, 'b');
  const Config c = parse({name.c_str(), value.c_str(), "LIBALLOC_NOVALUE"});
  EXPECT_EQ(g_lines.size(), 2u);
  EXPECT_STREQ(c.service, "");
}

}  // namespace
}  // namespace liballoc
