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

TEST_F(OptionsTest, CommandsOfLaterVersionsSaySoWhateverFollowsThem) {
  for (const char* name : {"spans", "events", "top", "release", "sampling", "limit", "dump"}) {
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
