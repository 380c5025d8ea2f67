// symbolizer_test.cc - names, lines and inlined frames of real programs, built in the ways
// distributions build them.
#include "agent/symbolize/symbolizer.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>

#include "tests/agent/symbolize/testing.h"

namespace liballoc::agent {
namespace {

using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void expect_frame(const SourceFrame& frame, const std::string& function, const std::string& file,
                  int64_t line) {
  EXPECT_EQ(frame.function, function);
  EXPECT_EQ(frame.file, file);
  EXPECT_EQ(frame.line, line);
}

void expect_all_frames(const Target& t, Symbolizer& symbolizer) {
  const auto price = symbolizer.lookup(t.module, t.calls.at("price"));
  ASSERT_THAT(price, SizeIs(3));
  // gcc's DWARF has no linkage name for a static function, clang's has one; the symbol table has
  // none for its inlined copy.
  const bool by_clang = run(TEST_CXX " --version").find("clang") != std::string::npos;
  expect_frame(price[0], by_clang ? "shop::price(int)" : "shop::price", t.source,
               t.lines.at("price"));
  expect_frame(price[1], "shop::Cart::total(int)", t.source, t.lines.at("total"));
  expect_frame(price[2], "shop::checkout(int)", t.source, t.lines.at("checkout"));
  EXPECT_EQ(price[2].system_name, "_ZN4shop8checkoutEi");
  EXPECT_EQ(price[2].start_line, t.lines.at("checkout") - 2);
  const auto serve = symbolizer.lookup(t.module, t.calls.at("serve"));
  ASSERT_THAT(serve, SizeIs(1));
  expect_frame(serve[0], "void shop::serve<double>(double)", t.source, t.lines.at("serve"));
  const auto plain = symbolizer.lookup(t.module, t.calls.at("plain_c"));
  ASSERT_THAT(plain, SizeIs(1));
  expect_frame(plain[0], "plain_c", t.source, t.lines.at("plain_c"));
}

class SymbolizerFlags : public ::testing::TestWithParam<const char*> {};

TEST_P(SymbolizerFlags, FindsFunctionFileLineAndInlinedFrames) {
  const Target t(GetParam());
  Symbolizer symbolizer(options_with());
  expect_all_frames(t, symbolizer);
  const auto hidden = symbolizer.lookup(t.module, t.calls.at("hidden"));
  ASSERT_THAT(hidden, SizeIs(1));
  EXPECT_EQ(hidden[0].function, "hidden()");
  EXPECT_EQ(hidden[0].system_name, "_ZL6hiddenv");
  EXPECT_EQ(hidden[0].line, t.lines.at("hidden"));
}

INSTANTIATE_TEST_SUITE_P(HowItWasBuilt, SymbolizerFlags,
                         ::testing::Values("-g", "-gdwarf-4", "-gdwarf-5", "-g -gz", "-g -no-pie",
                                           "-g -ffunction-sections", "-g -fdebug-types-section"));

TEST(Symbolizer, NamesFunctionsFromSymtabWhereThereIsNoDwarf) {
  const Target t("");
  Symbolizer symbolizer(options_with());
  const auto price = symbolizer.lookup(t.module, t.calls.at("price"));
  ASSERT_THAT(price, SizeIs(1));
  expect_frame(price[0], "shop::checkout(int)", "", 0);
  EXPECT_EQ(price[0].system_name, "_ZN4shop8checkoutEi");
  ASSERT_THAT(symbolizer.lookup(t.module, t.calls.at("hidden")), SizeIs(1));
}

TEST(Symbolizer, NamesExportedFunctionsOfAStrippedProgram) {
  Target t("-rdynamic");
  run(TEST_STRIP " " + t.binary);
  Symbolizer symbolizer(options_with());
  const auto price = symbolizer.lookup(t.module, t.calls.at("price"));
  ASSERT_THAT(price, SizeIs(1));
  expect_frame(price[0], "shop::checkout(int)", "", 0);
  EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("hidden")), IsEmpty())
      << "not exported: no name rather than that of a neighbour";
}

TEST(Symbolizer, ReadsTheCompressedSymbolTableOfAStrippedProgram) {
  Target t("-rdynamic");
  const std::string mini = t.dir.path() + "/mini";
  run(TEST_OBJCOPY " --only-keep-debug " + t.binary + " " + mini + " && xz " + mini);
  run(TEST_STRIP " " + t.binary);
  run(TEST_OBJCOPY " --add-section .gnu_debugdata=" + mini + ".xz " + t.binary);
  Symbolizer symbolizer(options_with());
  const auto hidden = symbolizer.lookup(t.module, t.calls.at("hidden"));
  ASSERT_THAT(hidden, SizeIs(1));
  expect_frame(hidden[0], "hidden()", "", 0);
  const auto price = symbolizer.lookup(t.module, t.calls.at("price"));
  ASSERT_THAT(price, SizeIs(1));
  expect_frame(price[0], "shop::checkout(int)", "", 0);
}

TEST(Symbolizer, TakesADamagedCompressedSymbolTableForNone) {
  Target t("-rdynamic");
  run(TEST_STRIP " " + t.binary);
  // The header of an xz file and then nothing that decompresses.
  write_file(t.dir.path() + "/bad", std::string("\xfd"
                                                "7zXZ\0\0\4",
                                                8) +
                                        std::string(100, 'x'));
  run(TEST_OBJCOPY " --add-section .gnu_debugdata=" + t.dir.path() + "/bad " + t.binary);
  Symbolizer symbolizer(options_with());
  EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("hidden")), IsEmpty());
  EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("price")), SizeIs(1));
}

TEST(Symbolizer, InventsNothingForAFullyStrippedProgram) {
  Target t("-g");
  run(TEST_STRIP " " + t.binary);
  Symbolizer symbolizer(options_with());
  for (const auto& [name, call] : t.calls) {
    EXPECT_THAT(symbolizer.lookup(t.module, call), IsEmpty()) << name;
  }
}

TEST(Symbolizer, UsesTheSeparateDebugFileOfTheBuildId) {
  Target t("-g");
  t.split_to(t.debug_path(t.dir.path() + "/debug"));
  Symbolizer symbolizer(options_with({t.dir.path() + "/debug"}));
  expect_all_frames(t, symbolizer);
}

TEST(Symbolizer, UsesTheDebugFileWhenTheProgramItselfIsGone) {
  Target t("-g");
  t.split_to(t.debug_path(t.dir.path() + "/debug"));
  std::filesystem::remove(t.binary);
  Symbolizer symbolizer(options_with({t.dir.path() + "/debug"}));
  expect_all_frames(t, symbolizer);
}

TEST(Symbolizer, FollowsTheDebugLink) {
  Target t("-g");
  t.split_to(t.dir.path() + "/.debug/target.debug");
  run("cd " + t.dir.path() + "/.debug && " TEST_OBJCOPY " --add-gnu-debuglink=target.debug " +
      t.binary);
  Symbolizer symbolizer(options_with());
  expect_all_frames(t, symbolizer);
}

TEST(Symbolizer, RefusesADebugFileOfAnotherBuildId) {
  Target t("-g -rdynamic"), other("-g -O1");
  ASSERT_NE(t.module.build_id, other.module.build_id);
  const std::string place = t.debug_path(t.dir.path() + "/debug");
  t.split_to(place);
  std::filesystem::copy_file(other.binary, place,
                             std::filesystem::copy_options::overwrite_existing);
  Symbolizer symbolizer(options_with({t.dir.path() + "/debug"}));
  const auto price = symbolizer.lookup(t.module, t.calls.at("price"));
  ASSERT_THAT(price, SizeIs(1));
  expect_frame(price[0], "shop::checkout(int)", "", 0);
}

TEST(Symbolizer, GivesNothingForAWrongBuildId) {
  Target t("-g");
  t.module.build_id[0] = t.module.build_id[0] == '0' ? '1' : '0';
  Symbolizer symbolizer(options_with());
  EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("price")), IsEmpty());
}

TEST(Symbolizer, GivesNothingWithoutAPlausibleBuildId) {
  Target t("-g");
  Symbolizer symbolizer(options_with({t.dir.path()}));
  for (const char* id : {"", "ab", "../../etc", "ABCDEF", "abcdefg0", "abcde"}) {
    t.module.build_id = id;
    EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("price")), IsEmpty()) << id;
  }
  EXPECT_EQ(symbolizer.stats().modules, 0u);
}

TEST(Symbolizer, OpensNothingForVdsoAndAnonymousMemory) {
  Target t("-g");
  Symbolizer symbolizer(options_with());
  for (const char* path : {"[vdso]", "", "[heap]", "//anon", "relative/path"}) {
    t.module.path = path;
    EXPECT_THAT(symbolizer.lookup(t.module, t.calls.at("price")), IsEmpty()) << path;
  }
}

TEST(Symbolizer, GivesNothingForAddressesOutsideTheCode) {
  const Target t("-g");
  Symbolizer symbolizer(options_with());
  for (uint64_t address :
       {uint64_t{0}, t.module.load_bias, t.module.start + (1u << 30), UINT64_MAX}) {
    EXPECT_THAT(symbolizer.lookup(t.module, address), IsEmpty()) << address;
  }
}

TEST(Symbolizer, FindsTheAddressByFileOffsetWhenTheBiasIsUnknown) {
  Target t("-g");
  t.module.load_bias = 0;
  Symbolizer symbolizer(options_with());
  expect_all_frames(t, symbolizer);
}

TEST(Symbolizer, PutsTheRootBeforeEveryPath) {
  Target t("-g");
  t.split_to(t.debug_path(t.dir.path() + "/usr/lib/debug"));
  t.module.path = "/target";
  SymbolizerOptions options;
  options.paths.root = t.dir.path();
  Symbolizer symbolizer(options);
  expect_all_frames(t, symbolizer);
}

int find_libc(dl_phdr_info* info, size_t, void* out) {
  Module& module = *static_cast<Module*>(out);
  if (std::string_view(info->dlpi_name).find("libc.so.6") == std::string_view::npos) return 0;
  module.path = std::filesystem::canonical(info->dlpi_name).string();
  module.load_bias = info->dlpi_addr;
  module.start = info->dlpi_addr;
  return 1;
}

TEST(Symbolizer, NamesFunctionsOfTheMachinesLibc) {
  Module module;
  ASSERT_EQ(dl_iterate_phdr(find_libc, &module), 1);
  module.build_id = ElfImage::open(module.path)->build_id();
  Symbolizer symbolizer(options_with());
  const auto frames = symbolizer.lookup(
      module, reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "gnu_get_libc_version")) + 4);
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(frames[0].function, "gnu_get_libc_version");
}

}  // namespace
}  // namespace liballoc::agent
