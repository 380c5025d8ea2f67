// page_heap_populate_test.cc - which spans have their pages backed at once: those that are about to be touched all over.
#include <gtest/gtest.h>

#include <vector>

#include "liballoc/os/os.h"
#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

std::vector<uintptr_t> g_populated;

class PageHeapPopulateTest : public testing::Test {
 protected:
  void SetUp() override {
    g_populated.clear();
    ops_ = kLinuxOs;
    ops_.populate = [](void* at, size_t bytes) -> long {
      if (bytes >= kPageBytes) g_populated.push_back(reinterpret_cast<uintptr_t>(at));  // else the heap's own records
      return 0;
    };
    set_os_ops_for_test(&ops_);
  }
  void TearDown() override { set_os_ops_for_test(nullptr); }
  Span* span_of(size_t bytes) {
    const unsigned cls = size_to_class(bytes);
    return heap_.pages.allocate(kClasses[cls].pages, cache_class(cls, false));
  }
  // As much in use as a program has that is not small.
  void grow_up() { ASSERT_NE(heap_.pages.allocate((size_t{2} << 20) >> kPageShift, 0), nullptr); }

  OsOps ops_;
  TestHeap heap_;
};

TEST_F(PageHeapPopulateTest, AFreshSpanOfSmallObjectsIsBackedAtOnce) {
  grow_up();
  Span* s = span_of(64);
  ASSERT_EQ(g_populated.size(), 1u);
  EXPECT_EQ(g_populated[0], s->base);
}

TEST_F(PageHeapPopulateTest, ASmallProgramPaysForWhatItTouches) {
  span_of(64);
  EXPECT_TRUE(g_populated.empty());
}

TEST_F(PageHeapPopulateTest, WhatMayStayUntouchedIsLeftToTheProgram) {
  grow_up();
  span_of(8192);
  EXPECT_NE(heap_.pages.allocate(16, 0), nullptr);
  EXPECT_TRUE(g_populated.empty());
}

TEST_F(PageHeapPopulateTest, MemoryThatIsBackedIsNotAskedForAgainUntilItWasReleased) {
  grow_up();
  Span* s = span_of(64);
  const uintptr_t base = s->base;
  heap_.pages.free(s);
  s = span_of(64);
  ASSERT_EQ(s->base, base);
  EXPECT_EQ(g_populated.size(), 1u);
  heap_.pages.free(s);
  heap_.pages.scavenge(SIZE_MAX, UINT64_MAX);
  s = span_of(64);
  EXPECT_EQ(g_populated.size(), 2u);
}

}  // namespace
}  // namespace liballoc
