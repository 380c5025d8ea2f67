// options_test.cc - the command line of allocctl: what it accepts, and what its refusals say.
#include "agent/cli/options.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace liballoc::agent {
namespace {

CliOptions accepted(const std::vector<std::string>& arguments) {
  const auto parsed = parse_cli(arguments);
  if (const auto* over = std::get_if<CliOver>(&parsed)) {
    ADD_FAILURE() << over->text;
    return {};
  }
  return std::get<CliOptions>(parsed);
}

CliOver refused(const std::vector<std::string>& arguments) {
  const auto parsed = parse_cli(arguments);
  const auto* over = std::get_if<CliOver>(&parsed);
  EXPECT_NE(over, nullptr);
  return over == nullptr ? CliOver{} : *over;
}

class OptionsTest : public ::testing::Test {
 protected:
  void SetUp() override { ::unsetenv("LIBALLOC_AGENT"); }
};

TEST_F(OptionsTest, DefaultsAreTheDocumentedOnes) {
  const CliOptions options = accepted({"stats"});
  EXPECT_EQ(options.command, CliCommand::kStats);
  EXPECT_EQ(options.agent, "127.0.0.1:9891");
  EXPECT_EQ(options.process, "");
  EXPECT_FALSE(options.json);
  EXPECT_FALSE(options.watch);
}

TEST_F(OptionsTest, TheFlagWinsOverTheEnvironment) {
  ::setenv("LIBALLOC_AGENT", "unix:/run/agent.sock", 1);
  EXPECT_EQ(accepted({"ps"}).agent, "unix:/run/agent.sock");
  EXPECT_EQ(accepted({"ps", "--agent", "localhost:1"}).agent, "localhost:1");
  EXPECT_EQ(accepted({"--agent", "[::1]:2", "ps"}).agent, "[::1]:2");
  ::unsetenv("LIBALLOC_AGENT");
}

TEST_F(OptionsTest, ReadsAProfileCommand) {
  const CliOptions options = accepted(
      {"profile", "42", "-o", "out.gz", "--kind", "allocs", "--seconds", "30", "--no-symbols"});
  EXPECT_EQ(options.command, CliCommand::kProfile);
  EXPECT_EQ(options.process, "42");
  EXPECT_EQ(options.output, "out.gz");
  EXPECT_TRUE(options.allocs);
  EXPECT_EQ(options.seconds, 30u);
  EXPECT_FALSE(options.symbols);
}

TEST_F(OptionsTest, ReadsAWatch) {
  const CliOptions options =
      accepted({"stats", "liballoc.1.2", "--watch", "--interval", "0.25", "--count", "3"});
  EXPECT_TRUE(options.watch);
  EXPECT_EQ(options.process, "liballoc.1.2");
  EXPECT_EQ(options.interval, std::chrono::milliseconds(250));
  EXPECT_EQ(options.count, 3u);
}

TEST_F(OptionsTest, ReadsTheViewsOfAHeap) {
  CliOptions options = accepted({"spans", "7", "--state", "full,partial", "--size", "64,large",
                                 "--min-occupancy", "10", "--min-age", "60", "--limit", "5"});
  EXPECT_EQ(options.command, CliCommand::kSpans);
  EXPECT_EQ(options.states, (std::vector<std::string>{"full", "partial"}));
  EXPECT_EQ(options.sizes, (std::vector<uint32_t>{64, 0}));
  EXPECT_EQ(options.min_occupancy, 10);
  EXPECT_EQ(options.max_occupancy, 100);
  EXPECT_EQ(options.min_age_seconds, 60u);
  EXPECT_EQ(options.limit, 5u);
  options = accepted({"events", "--from-oldest", "--kind", "span-free", "--count", "3"});
  EXPECT_EQ(options.command, CliCommand::kEvents);
  EXPECT_TRUE(options.from_oldest);
  EXPECT_EQ(options.interval, std::chrono::milliseconds(100));
  EXPECT_EQ(accepted({"top", "--interval", "2"}).interval, std::chrono::seconds(2));
  EXPECT_EQ(accepted({"map", "--runs", "--address", "0x7f00"}).address, 0x7f00u);
  EXPECT_TRUE(accepted({"classes", "--all"}).all);
  options = accepted({"dump", "/tmp/file", "--section", "ring,faults"});
  EXPECT_EQ(options.file, "/tmp/file");
  EXPECT_EQ(options.sections, (std::vector<std::string>{"ring", "faults"}));
}

TEST_F(OptionsTest, CommandsOfLaterVersionsSaySoWhateverFollowsThem) {
  for (const char* name : {"release", "sampling", "limit"}) {
    for (const auto& arguments :
         {std::vector<std::string>{name}, std::vector<std::string>{name, "12", "--rate", "5"}}) {
      const CliOver over = refused(arguments);
      EXPECT_EQ(over.status, kCliNotSupported) << name;
      EXPECT_EQ(over.text, "allocctl: " + std::string(name) + ": not supported yet\n");
    }
  }
}

TEST_F(OptionsTest, WrongValuesAreNamedWithWhatIsAllowed) {
  const struct {
    std::vector<std::string> arguments;
    std::vector<std::string> words;
  } kCases[] = {
      {{}, {"no command", "ps"}},
      {{"nonsense"}, {"nonsense"}},
      {{"stats", "0"}, {"PID", "\"0\"", "from 1"}},
      {{"stats", "4294967296"}, {"\"4294967296\""}},
      {{"stats", "12x"}, {"\"12x\""}},
      {{"ps", "--agent", "nowhere"}, {"--agent", "\"nowhere\"", "host:port"}},
      {{"ps", "--agent", "h:0"}, {"\"h:0\""}},
      {{"ps", "--agent", "h:65536"}, {"\"h:65536\""}},
      {{"ps", "--agent", "http://h:1"}, {"\"http://h:1\""}},
      {{"ps", "--agent", "unix:relative"}, {"\"unix:relative\""}},
      {{"stats", "--interval", "1"}, {"--interval", "--watch"}},
      {{"stats", "--watch", "--interval", "0.01"}, {"--interval", "0.01", "0.1"}},
      {{"profile", "--kind", "cpu"}, {"--kind", "cpu", "heap"}},
      {{"profile", "--seconds", "0"}, {"--seconds", "0"}},
      {{"profile", "--seconds", "x"}, {"--seconds", "x"}},
      {{"ps", "--tls-cert", "x"}, {"--tls-cert"}},
      {{"spans", "--state", "busy"}, {"--state", "\"busy\"", "partial", "page-cached"}},
      {{"spans", "--size", "0"}, {"--size", "\"0\"", "large"}},
      {{"spans", "--min-occupancy", "101"}, {"--min-occupancy", "101"}},
      {{"spans", "--min-occupancy", "60", "--max-occupancy", "50"}, {"--min-occupancy"}},
      {{"spans", "--min-age", "-1"}, {"--min-age"}},
      {{"events", "--kind", "sneeze"}, {"--kind", "\"sneeze\"", "heap-grow"}},
      {{"events", "--interval", "0.001"}, {"--interval", "0.001"}},
      {{"map", "--address", "7f00"}, {"--address", "\"7f00\"", "0x"}},
      {{"dump"}, {"FILE"}},
      {{"dump", "f", "--section", "spam"}, {"--section", "\"spam\"", "faults"}},
      {{"dump", "f", "--json"}, {"--json"}},
  };
  for (const auto& test : kCases) {
    const CliOver over = refused(test.arguments);
    EXPECT_EQ(over.status, kCliUsage) << over.text;
    for (const std::string& word : test.words) {
      EXPECT_NE(over.text.find(word), std::string::npos) << word << " is not in: " << over.text;
    }
  }
}

TEST_F(OptionsTest, HelpNamesTheExitCodesAndVersionTheVersion) {
  const CliOver help = refused({"--help"});
  EXPECT_EQ(help.status, kCliOk);
  EXPECT_NE(help.text.find("3  the command is not supported yet"), std::string::npos);
  EXPECT_EQ(refused({"--version"}).text, "allocctl " LIBALLOC_VERSION "\n");
}

}  // namespace
}  // namespace liballoc::agent
