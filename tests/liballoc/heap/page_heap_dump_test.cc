// page_heap_dump_test.cc - noscan spans are out of core dumps, everything else is in them: asked of the kernel, page by page.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"
#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

constexpr unsigned kLarge = cache_class(0, false), kLargeNoscan = cache_class(0, true);

// Whether the mapping that holds the address has the flag "dd" (do not dump); fails the test when there is no such mapping.
bool kept_out_of_dumps(uintptr_t address) {
  std::unique_ptr<FILE, int (*)(FILE*)> smaps(fopen("/proc/self/smaps", "r"), fclose);
  char line[512];
  bool inside = false;
  while (smaps != nullptr && fgets(line, sizeof(line), smaps.get()) != nullptr) {
    unsigned long begin = 0, end = 0;
    if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) inside = address >= begin && address < end;
    else if (inside && strncmp(line, "VmFlags:", 8) == 0) return strstr(line, " dd") != nullptr;
  }
  ADD_FAILURE() << "no mapping holds " << std::hex << address;
  return false;
}
bool kept_out_of_dumps(const Span* s) {
  const bool first = kept_out_of_dumps(s->base);
  EXPECT_EQ(kept_out_of_dumps(s->end() - 1), first);
  return first;
}

uint64_t dump_calls() { return sys_mem_stats().dump_calls.load(); }

TEST(PageHeapDumpTest, NoscanSpansAreKeptOutAndScanSpansAreNot) {
  TestHeap heap;
  ASSERT_TRUE(heap.ok);
  Span* scan = heap.pages.allocate(4, kLarge);
  Span* noscan = heap.pages.allocate(4, kLargeNoscan);
  Span* small_noscan = heap.pages.allocate(1, cache_class(5, true));
  Span* after = heap.pages.allocate(4, kLarge);
  EXPECT_FALSE(kept_out_of_dumps(scan));
  EXPECT_TRUE(kept_out_of_dumps(noscan));
  EXPECT_TRUE(kept_out_of_dumps(small_noscan));
  EXPECT_FALSE(kept_out_of_dumps(after));
  for (Span* s : {scan, noscan, small_noscan, after}) heap.pages.free(s);
  heap.pages.verify();
}

TEST(PageHeapDumpTest, IdlePagesAreInDumpsAgainWhoeverGetsThemNext) {
  TestHeap heap;
  Span* s = heap.pages.allocate(4, kLargeNoscan);
  const uintptr_t base = s->base;
  heap.pages.free(s);
  EXPECT_FALSE(kept_out_of_dumps(base));
  s = heap.pages.allocate(2, kLarge);
  ASSERT_EQ(s->base, base);
  EXPECT_FALSE(kept_out_of_dumps(s));
  heap.pages.free(s);
}

TEST(PageHeapDumpTest, ARecentlyFreedSpanCostsACallOnlyWhenItsUseChanges) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  Span* s = heap.pages.allocate(4, kLargeNoscan);
  const uintptr_t base = s->base;
  const uint64_t before = dump_calls();
  heap.pages.free(s);
  s = heap.pages.allocate(4, kLargeNoscan);
  ASSERT_EQ(s->base, base);
  EXPECT_EQ(dump_calls(), before);
  EXPECT_TRUE(kept_out_of_dumps(s));
  heap.pages.free(s);
  s = heap.pages.allocate(4, kLarge);
  ASSERT_EQ(s->base, base);
  EXPECT_EQ(dump_calls(), before + 1);
  EXPECT_FALSE(kept_out_of_dumps(s));
  heap.pages.free(s);
  s = heap.pages.allocate(4, kLargeNoscan);
  ASSERT_EQ(s->base, base);
  heap.pages.free(s);
  heap.pages.keep_recent(0);  // drained: idle among the others
  EXPECT_FALSE(kept_out_of_dumps(base));
  heap.pages.verify();
}

TEST(PageHeapDumpTest, ProgramsWithoutNoscanObjectsPayNothing) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  const uint64_t before = dump_calls();
  for (size_t i = 1; i < 40; i++) {
    Span* a = heap.pages.allocate(i, kLarge);
    Span* b = heap.pages.allocate(1, cache_class(3, false));
    heap.pages.free(a);
    heap.pages.free(b);
    heap.pages.scavenge(SIZE_MAX, UINT64_MAX);
  }
  EXPECT_EQ(dump_calls(), before);
}

TEST(PageHeapDumpTest, AChangeOfLengthTakesThePagesAlong) {
  TestHeap heap;
  Span* s = heap.pages.allocate(20, kLargeNoscan);
  const uintptr_t tail = s->base + 10 * kPageBytes;
  ASSERT_TRUE(heap.pages.try_shrink(s, 10));
  EXPECT_TRUE(kept_out_of_dumps(s));
  EXPECT_FALSE(kept_out_of_dumps(tail));
  ASSERT_TRUE(heap.pages.try_grow(s, 20));
  EXPECT_TRUE(kept_out_of_dumps(s));
  EXPECT_TRUE(kept_out_of_dumps(tail));
  heap.pages.free(s);
}

int g_refusals = 0;
OsOps without_dump() {
  OsOps ops = kLinuxOs;
  ops.dump = [](void* at, size_t n, bool wanted) -> long {
    return g_refusals-- > 0 ? -12 : kLinuxOs.dump(at, n, wanted);
  };
  return ops;
}

TEST(PageHeapDumpTest, ARefusalLeavesTheSpanUsableAndIsCountedAndMadeUpForLater) {
  TestHeap heap;
  const OsOps ops = without_dump();
  const uint64_t failures = sys_mem_stats().dump_failures.load();
  set_os_ops_for_test(&ops);
  g_refusals = 1;
  Span* s = heap.pages.allocate(4, kLargeNoscan);
  ASSERT_NE(s, nullptr);
  EXPECT_FALSE(kept_out_of_dumps(s)) << "refused: its contents may be dumped";
  EXPECT_EQ(sys_mem_stats().dump_failures.load(), failures + 1);
  memset(reinterpret_cast<void*>(s->base), 1, s->bytes());
  heap.pages.free(s);
  heap.pages.verify();

  s = heap.pages.allocate(4, kLargeNoscan);
  const uintptr_t base = s->base;
  g_refusals = 1;
  heap.pages.free(s);  // refused: the idle pages stay out
  EXPECT_TRUE(kept_out_of_dumps(base));
  s = heap.pages.allocate(3, kLarge);
  ASSERT_EQ(s->base, base);
  EXPECT_FALSE(kept_out_of_dumps(s)) << "asked again when the pages came into use";
  heap.pages.free(s);
  set_os_ops_for_test(nullptr);
  EXPECT_EQ(sys_mem_stats().dump_failures.load(), failures + 2);
  heap.pages.verify();
}

}  // namespace
}  // namespace liballoc
