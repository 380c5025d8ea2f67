// noscan_test.cc - memory without pointers: the C++ allocator for it, and that core dumps do not have it.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "liballoc/alloc.h"
#include "liballoc/core/runtime.h"
#include "liballoc/noscan_allocator.h"

namespace {

using liballoc::noscan_allocator;

bool lies_in_a_noscan_span(const void* p) {
  const liballoc::Span* span = liballoc::g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p));
  return span != nullptr && span->noscan;
}

TEST(NoscanAllocatorTest, AVectorGrowsInNoscanMemory) {
  std::vector<float, noscan_allocator<float>> v;
  for (int i = 0; i < 100000; i++) {
    v.push_back(static_cast<float>(i));
    ASSERT_TRUE(lies_in_a_noscan_span(v.data())) << i;
  }
  EXPECT_EQ(v[99999], 99999.f);
  v.resize(3);
  v.shrink_to_fit();
  EXPECT_TRUE(lies_in_a_noscan_span(v.data()));
  std::vector<float, noscan_allocator<float>> moved = std::move(v);
  EXPECT_EQ(moved.size(), 3u);
  EXPECT_EQ(moved[2], 2.f);
}

TEST(NoscanAllocatorTest, StringsAndDequesOfPlainTypesWork) {
  std::basic_string<char, std::char_traits<char>, noscan_allocator<char>> s;
  for (int i = 0; i < 1000; i++) s += "0123456789";
  EXPECT_EQ(s.size(), 10000u);
  EXPECT_TRUE(lies_in_a_noscan_span(s.data()));
}

struct alignas(64) OfALine {
  char bytes[64];
};
struct Odd {
  uint8_t bytes[3];
};

TEST(NoscanAllocatorTest, EveryElementIsAlignedForItsType) {
  std::vector<void*> kept;
  const auto expect_aligned = [&](auto element, size_t count) {
    using T = decltype(element);
    noscan_allocator<T> a;
    T* p = a.allocate(count);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignof(T), 0u) << sizeof(T) << " x " << count;
    memset(static_cast<void*>(p), 0x5a, count * sizeof(T));
    kept.push_back(p);
  };
  for (size_t n = 1; n < 40; n++) {
    expect_aligned(char{}, n);
    expect_aligned(uint16_t{}, n);
    expect_aligned(uint32_t{}, n);
    expect_aligned(uint64_t{}, n);
    expect_aligned(static_cast<long double>(0), n);
    expect_aligned(Odd{}, n);
    expect_aligned(OfALine{}, n);
  }
  for (void* p : kept) free(p);
}

TEST(NoscanAllocatorTest, AllInstancesAreEqualAndRebind) {
  noscan_allocator<int> a;
  noscan_allocator<double> b(a);
  EXPECT_TRUE(a == b);
  EXPECT_FALSE(a != b);
  using Rebound = std::allocator_traits<noscan_allocator<int>>::rebind_alloc<char>;
  EXPECT_TRUE((std::is_same<Rebound, noscan_allocator<char>>::value));
  EXPECT_TRUE(std::allocator_traits<noscan_allocator<int>>::is_always_equal::value);
  std::vector<int, noscan_allocator<int>> v(10, 7);
  EXPECT_EQ(v.get_allocator(), a);
  int* p = noscan_allocator<int>().allocate(5);
  a.deallocate(p, 5);  // any instance frees what any other gave
}

TEST(NoscanAllocatorTest, MoreThanThereIsThrowsAsTheStandardSays) {
  noscan_allocator<uint64_t> a;
  EXPECT_THROW(static_cast<void>(a.allocate(SIZE_MAX / 8 + 1)), std::bad_array_new_length);
  EXPECT_THROW(static_cast<void>(a.allocate(SIZE_MAX / 16)), std::bad_alloc);
}

struct Vouched {
  explicit Vouched(int n) : value(n) {}
  Vouched(const Vouched& other) : value(other.value) {}
  Vouched& operator=(const Vouched& other) {
    value = other.value;
    return *this;
  }
  ~Vouched() { value = 0; }
  int value;
};

}  // namespace

template <>
struct liballoc::holds_no_pointers<Vouched> : std::true_type {};

namespace {

TEST(NoscanAllocatorTest, TypesAreTakenByDefaultRuleOrByTrait) {
  EXPECT_TRUE(liballoc::holds_no_pointers<Odd>::value);
  EXPECT_FALSE(liballoc::holds_no_pointers<int*>::value);
  EXPECT_FALSE(liballoc::holds_no_pointers<int Odd::*>::value);
  EXPECT_FALSE(liballoc::holds_no_pointers<std::string>::value);
  std::vector<Vouched, noscan_allocator<Vouched>> v;
  for (int i = 0; i < 100; i++) v.emplace_back(i);
  EXPECT_TRUE(lies_in_a_noscan_span(v.data()));
  EXPECT_EQ(v[99].value, 99);
}

TEST(NoscanTest, AlignedRequestsAreAlignedAndLieInNoscanSpans) {
  for (size_t align = 1; align <= (size_t{16} << 20); align *= 2) {
    for (const size_t bytes : {size_t{1}, size_t{15}, size_t{100}, size_t{40000}}) {
      void* p = liballoc_aligned_alloc_noscan(align, bytes);
      ASSERT_NE(p, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u) << align << ", " << bytes;
      EXPECT_TRUE(lies_in_a_noscan_span(p));
      memset(p, 1, bytes);
      free(p);
    }
  }
  errno = 0;
  EXPECT_EQ(liballoc_aligned_alloc_noscan(24, 8), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(NoscanTest, ReallocKeepsNoscanObjectsNoscan) {
  void* p = liballoc_malloc_noscan(20);
  for (const size_t bytes : {100u, 5000u, 40000u, 200000u, 3000u, 30u}) {
    p = realloc(p, bytes);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(lies_in_a_noscan_span(p)) << bytes;
  }
  free(p);
}

// Writes the text that `code` stands for, so that it is nowhere in the process but at `to`.
void write_decoded(char* to, const unsigned char* code) {
  for (; *code != 0; code++) *to++ = static_cast<char>(*code ^ 0x80);
}
std::string decoded(const unsigned char* code) {
  std::string text(strlen(reinterpret_cast<const char*>(code)), '\0');
  write_decoded(text.data(), code);
  return text;
}
#define CODE(a) static_cast<unsigned char>((a) | 0x80)
constexpr unsigned char kScanCode[] = {CODE('s'), CODE('c'), CODE('a'), CODE('n'), CODE('-'), CODE('m'), CODE('a'),
                                       CODE('r'), CODE('k'), CODE('-'), CODE('7'), CODE('1'), CODE('4'), 0};
constexpr unsigned char kNoscanCode[] = {CODE('n'), CODE('o'), CODE('s'), CODE('c'), CODE('-'), CODE('m'), CODE('a'),
                                         CODE('r'), CODE('k'), CODE('-'), CODE('8'), CODE('2'), CODE('5'), 0};

TEST(NoscanTest, ACoreDumpHasScanObjectsAndNotNoscanObjects) {
  std::string pattern;
  std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
  if (pattern.empty() || pattern[0] == '|' || pattern.find('/') != std::string::npos) {
    GTEST_SKIP() << "kernel.core_pattern is \"" << pattern << "\": no core file in the working directory";
  }
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_max == 0) GTEST_SKIP() << "RLIMIT_CORE allows no core files";
  char dir[] = "/tmp/liballoc-core.XXXXXX";
  ASSERT_NE(mkdtemp(dir), nullptr);
  const pid_t child = fork();
  if (child == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (chdir(dir) != 0 || setrlimit(RLIMIT_CORE, &limit) != 0) _exit(1);
    for (const size_t bytes : {size_t{200}, size_t{100000}}) {
      write_decoded(static_cast<char*>(malloc(bytes)), kScanCode);
      write_decoded(static_cast<char*>(liballoc_malloc_noscan(bytes)), kNoscanCode);
    }
    abort();
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  std::string core;
  DIR* entries = opendir(dir);
  while (const dirent* entry = readdir(entries)) {
    if (entry->d_name[0] != '.') core = std::string(dir) + "/" + entry->d_name;
  }
  closedir(entries);
  if (!WCOREDUMP(status) || core.empty()) {
    rmdir(dir);
    GTEST_SKIP() << "the kernel wrote no core file";
  }
  std::stringstream contents;
  contents << std::ifstream(core, std::ios::binary).rdbuf();
  const std::string bytes = contents.str();
  unlink(core.c_str());
  rmdir(dir);
  EXPECT_NE(bytes.find(decoded(kScanCode)), std::string::npos) << bytes.size() << " bytes of core";
  EXPECT_EQ(bytes.find(decoded(kNoscanCode)), std::string::npos);
}

}  // namespace
