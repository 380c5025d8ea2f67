// symbolizer_cache_test.cc - what is read once stays read, within bounds, from any thread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "agent/symbolize/symbolizer.h"
#include "tests/agent/symbolize/testing.h"

namespace liballoc::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(SymbolizerCache, ReadsFilesAndDebuggingEntriesOnceForAllAddresses) {
  const Target t("-g");
  Symbolizer symbolizer(options_with());
  const auto look_up_everything = [&] {
    size_t named = 0;
    for (uint64_t i = 0; i < 10'000; ++i) {
      const uint64_t address = t.module.start + i * (t.module.end - t.module.start) / 10'000;
      named += symbolizer.lookup(t.module, address).empty() ? 0 : 1;
    }
    return named;
  };
  const size_t named = look_up_everything();
  EXPECT_GT(named, 100u);
  const SymbolizerStats first = symbolizer.stats();
  EXPECT_EQ(first.lookups, 10'000u);
  EXPECT_EQ(first.files_opened, 1u);
  EXPECT_EQ(first.units_indexed, 1u) << "one source file";
  EXPECT_GT(first.dies_visited, 10u);
  EXPECT_LT(first.dies_visited, 10'000u);
  EXPECT_EQ(look_up_everything(), named);
  const SymbolizerStats second = symbolizer.stats();
  EXPECT_EQ(second.files_opened, first.files_opened);
  EXPECT_EQ(second.dies_visited, first.dies_visited);
}

TEST(SymbolizerCache, LooksForAMissingFileAgainOnlyAfterTheRetryTime) {
  const Target t("-g");
  Module missing = t.module;
  missing.path = t.dir.path() + "/later";
  SymbolizerOptions options = options_with();
  Symbolizer patient(options);
  options.retry_missing = std::chrono::seconds(0);
  Symbolizer eager(options);
  EXPECT_THAT(patient.lookup(missing, t.calls.at("price")), IsEmpty());
  EXPECT_THAT(eager.lookup(missing, t.calls.at("price")), IsEmpty());
  std::filesystem::copy_file(t.binary, missing.path);
  EXPECT_THAT(patient.lookup(missing, t.calls.at("price")), IsEmpty());
  EXPECT_THAT(eager.lookup(missing, t.calls.at("price")), SizeIs(3));
}

TEST(SymbolizerCache, ForgetsTheLeastRecentlyUsedModule) {
  const Target a("-g"), b("-g -O1"), c("-gdwarf-4");
  SymbolizerOptions options = options_with();
  options.max_modules = 2;
  Symbolizer symbolizer(options);
  for (const Target* t : {&a, &b, &a, &c, &a}) {
    EXPECT_THAT(symbolizer.lookup(t->module, t->calls.at("price")), SizeIs(3));
  }
  EXPECT_EQ(symbolizer.stats().modules, 2u);
  EXPECT_EQ(symbolizer.stats().evicted, 1u) << "b, and not a, which was used again";
  EXPECT_THAT(symbolizer.lookup(b.module, b.calls.at("price")), SizeIs(3));
}

TEST(SymbolizerCache, StaysWithinItsBytesButForTheModuleInUse) {
  const Target a("-g"), b("-gdwarf-4");
  SymbolizerOptions options = options_with();
  options.max_bytes = 1;
  Symbolizer symbolizer(options);
  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(symbolizer.lookup(a.module, a.calls.at("price")), SizeIs(3));
    EXPECT_THAT(symbolizer.lookup(b.module, b.calls.at("price")), SizeIs(3));
    EXPECT_EQ(symbolizer.stats().modules, 1u);
  }
  EXPECT_EQ(symbolizer.stats().evicted, 5u);
}

TEST(SymbolizerCache, GivesEveryThreadTheSameAnswer) {
  const Target a("-g"), b("-gdwarf-4");
  SymbolizerOptions options = options_with();
  options.max_modules = 1;  // entries come and go while others use them
  Symbolizer symbolizer(options);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        const Target& t = (i + round) % 2 == 0 ? a : b;
        const auto frames = symbolizer.lookup(t.module, t.calls.at("price"));
        if (frames.size() != 3 || frames[2].function != "shop::checkout(int)") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace liballoc::agent
