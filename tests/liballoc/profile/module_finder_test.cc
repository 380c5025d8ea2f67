// module_finder_test.cc - modules as found in memory against what /proc and readelf say.
#include "liballoc/profile/module_finder.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace liballoc {
namespace {

std::string hex(const FoundModule& module) {
  std::string text;
  for (uint32_t i = 0; i < module.build_id_bytes; i++) {
    char digits[3];
    snprintf(digits, sizeof(digits), "%02x", module.build_id[i]);
    text += digits;
  }
  return text;
}

std::string build_id_by_readelf(const std::string& file) {
  const std::string command = "readelf -n '" + file + "' 2>/dev/null | sed -n 's/.*Build ID: //p'";
  FILE* pipe = popen(command.c_str(), "r");
  char text[128] = {};
  if (fgets(text, sizeof(text), pipe) == nullptr) text[0] = '\0';
  pclose(pipe);
  std::string id = text;
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

struct MapsLine {
  uint64_t start = 0, end = 0, offset = 0;
  std::string permissions, path;
};

MapsLine maps_line_of(uintptr_t pc) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    MapsLine m;
    char dash;
    std::string device, inode;
    std::istringstream in(line);
    in >> std::hex >> m.start >> dash >> m.end >> m.permissions >> m.offset >> device >> inode >>
        m.path;
    if (pc >= m.start && pc < m.end) return m;
  }
  return {};
}

void expect_as_mapped(uintptr_t pc, const FoundModule& module) {
  const MapsLine line = maps_line_of(pc);
  ASSERT_NE(line.end, 0u);
  EXPECT_EQ(module.start, line.start);
  EXPECT_EQ(module.end, line.end);
  EXPECT_EQ(module.file_offset, line.offset);
}

__attribute__((noinline)) void in_main() { __asm__ volatile("nop"); }

TEST(ModuleFinderTest, MainProgramHasNoPathAndItsBuildId) {
  const auto pc = reinterpret_cast<uintptr_t>(&in_main);
  FoundModule module{};
  ASSERT_TRUE(find_module(pc, &module));
  expect_as_mapped(pc, module);
  EXPECT_EQ(module.path_bytes, 0u);
  EXPECT_STREQ(module.path, "");
  const std::string expected = build_id_by_readelf(std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_EQ(hex(module), expected);
}

TEST(ModuleFinderTest, CLibraryIsFoundWithPathAndBuildId) {
  // By handle: a sanitizer has a qsort of its own in the program.
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  const auto pc = reinterpret_cast<uintptr_t>(dlsym(libc, "qsort"));
  dlclose(libc);
  FoundModule module{};
  ASSERT_TRUE(find_module(pc, &module));
  expect_as_mapped(pc, module);
  EXPECT_NE(std::string(module.path).find("libc.so.6"), std::string::npos);
  EXPECT_EQ(module.path_bytes, strlen(module.path));
  const std::string expected = build_id_by_readelf(module.path);
  ASSERT_EQ(expected.size(), 40u);
  EXPECT_EQ(hex(module), expected);
  Dl_info info{};
  link_map* map = nullptr;
  ASSERT_NE(
      dladdr1(reinterpret_cast<void*>(pc), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP),
      0);
  EXPECT_EQ(module.load_bias, map->l_addr);
}

TEST(ModuleFinderTest, VdsoIsNamed) {
  const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
  if (vdso == 0) GTEST_SKIP() << "this kernel gives no vDSO";
  // Its only function table is its own: take an address in its first executable segment.
  const auto* const elf = reinterpret_cast<const ElfW(Ehdr)*>(vdso);
  const auto* const headers = reinterpret_cast<const ElfW(Phdr)*>(vdso + elf->e_phoff);
  uintptr_t pc = 0;
  for (int i = 0; i < elf->e_phnum; i++) {
    if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_X) != 0)
      pc = vdso + headers[i].p_memsz - 1;
  }
  ASSERT_NE(pc, 0u);
  FoundModule module{};
  ASSERT_TRUE(find_module(pc, &module));
  EXPECT_STREQ(module.path, "[vdso]");
  EXPECT_EQ(module.start, vdso);
  EXPECT_EQ(maps_line_of(pc).path, "[vdso]");
  EXPECT_EQ(module.end, maps_line_of(pc).end);
  const std::string copy = testing::TempDir() + "/liballoc-vdso-" + std::to_string(getpid());
  std::ofstream(copy, std::ios::binary)
      .write(reinterpret_cast<const char*>(vdso), static_cast<std::streamsize>(module.end - vdso));
  EXPECT_EQ(hex(module), build_id_by_readelf(copy));
  EXPECT_FALSE(hex(module).empty());
  std::filesystem::remove(copy);
}

TEST(ModuleFinderTest, AddressesOutsideOfModulesAreNotFound) {
  FoundModule module{};
  int on_stack = 0;
  EXPECT_FALSE(find_module(0, &module));
  EXPECT_FALSE(find_module(1, &module));
  EXPECT_FALSE(find_module(UINTPTR_MAX, &module));
  EXPECT_FALSE(find_module(reinterpret_cast<uintptr_t>(&on_stack), &module));
  void* const anonymous = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_FALSE(find_module(reinterpret_cast<uintptr_t>(anonymous), &module));
  munmap(anonymous, 4096);
}

// Shared objects whose headers were damaged in memory after loading, as nothing sane does: a range,
// and no fault.
class OddImageTest : public testing::Test {
 protected:
  void SetUp() override {
    handle_ = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(handle_, nullptr);
    pc_ = reinterpret_cast<uintptr_t>(dlsym(handle_, "lgamma"));
    dl_find_object object;
    ASSERT_EQ(_dl_find_object(reinterpret_cast<void*>(pc_), &object), 0);
    start_ = static_cast<char*>(object.dlfo_map_start);
    ASSERT_TRUE(find_module(pc_, &healthy_));
    memcpy(page_, start_, sizeof(page_));
    ASSERT_EQ(mprotect(start_, sizeof(page_), PROT_READ | PROT_WRITE), 0);
  }
  void TearDown() override {
    mprotect(start_, sizeof(page_), PROT_READ | PROT_WRITE);
    memcpy(start_, page_, sizeof(page_));
    mprotect(start_, sizeof(page_), PROT_READ);
    dlclose(handle_);
  }
  ElfW(Ehdr) * elf() { return reinterpret_cast<ElfW(Ehdr)*>(start_); }
  ElfW(Phdr) * headers() { return reinterpret_cast<ElfW(Phdr)*>(start_ + elf()->e_phoff); }
  void expect_range_without_build_id() {
    FoundModule module{};
    ASSERT_TRUE(find_module(pc_, &module));
    EXPECT_EQ(module.build_id_bytes, 0u);
    EXPECT_LE(module.start, pc_);
    EXPECT_GT(module.end, pc_);
    EXPECT_STREQ(module.path, healthy_.path);
  }
  void* handle_ = nullptr;
  uintptr_t pc_ = 0;
  char* start_ = nullptr;
  FoundModule healthy_{};
  char page_[4096];
};

TEST_F(OddImageTest, NoElfHeaderInFront) {
  memset(start_, 0, 64);
  expect_range_without_build_id();
}

TEST_F(OddImageTest, ProgramHeadersElsewhere) {
  for (const uint64_t offset :
       {uint64_t{4000}, uint64_t{4096}, uint64_t{1} << 40, UINT64_MAX - 7, uint64_t{65}}) {
    elf()->e_phoff = offset;
    expect_range_without_build_id();
  }
}

TEST_F(OddImageTest, MoreProgramHeadersThanThePageHolds) {
  elf()->e_phnum = 0xffff;
  expect_range_without_build_id();
}

TEST_F(OddImageTest, NotesOutsideOfTheImage) {
  for (const uint64_t address :
       {uint64_t{1} << 40, UINT64_MAX, uint64_t{0} - 8, uint64_t{1} << 63}) {
    for (int i = 0; i < elf()->e_phnum; i++) {
      if (headers()[i].p_type == PT_NOTE) headers()[i].p_vaddr = address;
    }
    expect_range_without_build_id();
  }
}

TEST_F(OddImageTest, NoteLongerThanItsSegment) {
  for (int i = 0; i < elf()->e_phnum; i++) {
    if (headers()[i].p_type != PT_NOTE) continue;
    headers()[i].p_filesz = uint64_t{1} << 50;
  }
  expect_range_without_build_id();
}

TEST_F(OddImageTest, NoteWhoseNameOrIdIsLongerThanTheRest) {
  for (int i = 0; i < elf()->e_phnum; i++) {
    if (headers()[i].p_type != PT_NOTE || headers()[i].p_vaddr + 12 > sizeof(page_)) continue;
    auto* const note = reinterpret_cast<ElfW(Nhdr)*>(start_ + headers()[i].p_vaddr);
    note->n_namesz = 0xfffffff0;
    note->n_descsz = 0xfffffff0;
  }
  FoundModule module{};
  EXPECT_TRUE(find_module(pc_, &module));
  EXPECT_EQ(module.start, healthy_.start);
}

TEST_F(OddImageTest, FirstPageThatCannotBeRead) {
  ASSERT_EQ(mprotect(start_, sizeof(page_), PROT_NONE), 0);
  expect_range_without_build_id();
}

}  // namespace
}  // namespace liballoc
