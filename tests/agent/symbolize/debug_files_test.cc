// debug_files_test.cc - a file counts only when its own build id says so.
#include "agent/symbolize/debug_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/agent/symbolize/testing.h"

namespace liballoc::agent {
namespace {

TEST(DebugFiles, TakesOnlyLowercaseHexForABuildId) {
  EXPECT_TRUE(is_build_id("0123456789abcdef"));
  EXPECT_TRUE(is_build_id("abcdef"));
  for (const char* id : {"", "abcd", "abcde", "ABCDEF", "abcd/..", "../../.."}) {
    EXPECT_FALSE(is_build_id(id)) << id;
  }
}

TEST(DebugFiles, OpensAModuleOfTheRightBuildIdOnly) {
  const Target t("-g");
  DebugFiles files(options_with().paths);
  EXPECT_NE(files.open_module(t.binary, t.module.build_id), nullptr);
  EXPECT_EQ(files.open_module(t.binary, std::string(40, 'a')), nullptr);
  EXPECT_EQ(files.open_module(t.source, t.module.build_id), nullptr);
  EXPECT_EQ(files.open_module(t.dir.path(), t.module.build_id), nullptr);
  EXPECT_EQ(files.open_module(t.dir.path() + "/missing", t.module.build_id), nullptr);
}

TEST(DebugFiles, DoesNotWaitForAFifo) {
  const TempDir dir;
  const std::string path = dir.path() + "/fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  DebugFiles files(options_with().paths);
  EXPECT_EQ(files.open_module(path, "abcdef"), nullptr);
}

TEST(DebugFiles, PrefersTheFirstDirectoryWithARightFile) {
  Target t("-g");
  const std::string first = t.dir.path() + "/first", second = t.dir.path() + "/second";
  write_file(t.debug_path(first), "not an ELF file");
  t.split_to(t.debug_path(second));
  SymbolPaths paths;
  paths.debug_directories = {first, second};
  DebugFiles files(paths);
  const auto image = files.open_debug(nullptr, t.binary, t.module.build_id);
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(image->build_id(), t.module.build_id);
  EXPECT_NE(image->section(".debug_info"), nullptr);
}

}  // namespace
}  // namespace liballoc::agent
