// specials_test.cc - marks on objects, and how they steer free() to its slow path.
#include "liballoc/heap/specials.h"

#include <gtest/gtest.h>

#include <memory>

#include "liballoc/heap/heap.h"

namespace liballoc {
namespace {

TEST(SpecialsTest, AMarkedSpanLeavesTheFastPathUntilItsLastMarkIsGone) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  constexpr unsigned kClass = 62;  // several pages
  Span* s = heap->central(kClass).cache_span(nullptr, nullptr);
  ASSERT_NE(s, nullptr);
  ASSERT_GT(s->pages, 1u);
  const auto classes_are = [&](unsigned cls) {
    for (uintptr_t p = s->base; p < s->end(); p += kPageBytes) {
      if (heap->map().class_of(p) != cls) return false;
    }
    return true;
  };
  EXPECT_TRUE(classes_are(kClass));
  ASSERT_TRUE(add_special(heap->map(), s, 2, 22));
  ASSERT_TRUE(add_special(heap->map(), s, 0, 20));
  ASSERT_TRUE(add_special(heap->map(), s, 1, 21));
  EXPECT_TRUE(classes_are(0));
  EXPECT_EQ(s->specials->slot, 0u) << "sorted by slot";
  EXPECT_EQ(remove_special(heap->map(), s, 3), 0u) << "no mark, no record";
  EXPECT_EQ(remove_special(heap->map(), s, 1), 21u);
  EXPECT_EQ(remove_special(heap->map(), s, 1), 0u) << "only once";
  EXPECT_EQ(remove_special(heap->map(), s, 0), 20u);
  EXPECT_TRUE(classes_are(0));
  EXPECT_EQ(remove_special(heap->map(), s, 2), 22u);
  EXPECT_TRUE(classes_are(kClass));
  EXPECT_EQ(specials_inuse_bytes(), 0u);
}

}  // namespace
}  // namespace liballoc
