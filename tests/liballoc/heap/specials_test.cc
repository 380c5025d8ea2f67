// specials_test.cc - marks on objects, and how they steer free() to its slow path.
#include "liballoc/heap/specials.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "liballoc/heap/heap.h"
#include "liballoc/heap/size_trust.h"
#include "liballoc/heap/tiny_block.h"
#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {
namespace {

constexpr uintptr_t page_of(uintptr_t p) { return p & ~(kPageBytes - 1); }

// Every page has the class of its span, except those on which a slot with a mark starts.
void expect_classes(Heap& heap, const Span* s, unsigned cls) {
  for (uintptr_t page = s->base; page < s->end(); page += kPageBytes) {
    bool marked = false;
    for (const Special* m = s->specials; m != nullptr; m = m->next) marked |= page_of(s->slot_address(m->slot)) == page;
    ASSERT_EQ(heap.map().class_of(page), marked ? 0 : cls) << "page " << (page - s->base) / kPageBytes;
  }
}

TEST(SpecialsTest, APageLeavesTheFastPathWhileAMarkedSlotStartsOnIt) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  for (const unsigned c : {5u, 30u, 40u, 51u, 62u, 66u}) {
    Span* s = heap->central(c).cache_span(nullptr, nullptr);
    ASSERT_NE(s, nullptr);
    std::mt19937 random(c);
    std::set<uint32_t> marked;
    for (int step = 0; step < 300; step++) {
      const uint32_t slot = static_cast<uint32_t>(random() % s->objects);
      if (marked.contains(slot)) {
        ASSERT_EQ(remove_special(heap->map(), s, slot), slot + 100);
        marked.erase(slot);
      } else if (marked.size() < 6) {
        ASSERT_TRUE(add_special(heap->map(), s, slot, slot + 100));
        marked.insert(slot);
      }
      expect_classes(*heap, s, c);
    }
    for (const uint32_t slot : marked) remove_special(heap->map(), s, slot);
    expect_classes(*heap, s, c);
    heap->central(c).uncache_span(s);
  }
  EXPECT_EQ(specials_inuse_bytes(), 0u);
}

TEST(SpecialsTest, ClearingThemTakesTheirPagesMarks) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  Span* s = heap->central(62).cache_span(nullptr, nullptr);
  ASSERT_NE(s, nullptr);
  mark_page(s->slot_address(2));
  ASSERT_TRUE(add_special(heap->map(), s, 2, 12));
  clear_specials(heap->map(), s);
  EXPECT_EQ(marks_beside(s->slot_address(2)), 0u);
}

TEST(SpecialsTest, MarksAreSortedAndEachIsFoundOnce) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  constexpr unsigned kClass = 62;  // several pages
  Span* s = heap->central(kClass).cache_span(nullptr, nullptr);
  ASSERT_NE(s, nullptr);
  ASSERT_TRUE(add_special(heap->map(), s, 2, 22));
  ASSERT_TRUE(add_special(heap->map(), s, 0, 20));
  ASSERT_TRUE(add_special(heap->map(), s, 1, 21));
  EXPECT_EQ(s->specials->slot, 0u) << "sorted by slot";
  EXPECT_EQ(remove_special(heap->map(), s, 3), 0u) << "no mark, no record";
  EXPECT_EQ(remove_special(heap->map(), s, 1), 21u);
  EXPECT_EQ(remove_special(heap->map(), s, 1), 0u) << "only once";
  EXPECT_EQ(remove_special(heap->map(), s, 0), 20u);
  EXPECT_EQ(remove_special(heap->map(), s, 2), 22u);
  EXPECT_EQ(specials_inuse_bytes(), 0u);
}

TEST(SpecialsTest, AMarkOfOneLaneMayBeRemovedByAnotherAndItsRecordIsUsedAgain) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  Span* s = heap->central(1).cache_span(nullptr, nullptr);
  ASSERT_NE(s, nullptr);
  ASSERT_GE(s->objects, 1000u);
  // One lane marks, the other removes, as where one thread allocates what another frees.
  for (int round = 0; round < 50; round++) {
    for (uint32_t slot = 0; slot < 40; slot++) ASSERT_TRUE(add_special(heap->map(), s, slot, slot + 1, 2));
    EXPECT_EQ(specials_inuse_count(), 40u);
    for (uint32_t slot = 0; slot < 40; slot++) ASSERT_EQ(remove_special(heap->map(), s, slot, 5), slot + 1);
    EXPECT_EQ(specials_inuse_count(), 0u);
  }
  // 2000 records on their own would be three chunks.
  EXPECT_LE(specials_sys_bytes(), 2 * kFixedChunkBytes);
  heap->central(1).uncache_span(s);
}

TEST(SpecialsTest, TheFilterNamesTheClassOfEachSlotThatSurelyHasNoMark) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  for (const unsigned c : {1u, 5u, 62u, kSizeClasses + 5u}) {
    Span* s = heap->central(c).cache_span(nullptr, nullptr);
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(class_beside_specials(s, s->base), 0u) << "no mark: the page says the class";
    const uint32_t a = 0, b = s->objects / 2;
    ASSERT_TRUE(add_special(heap->map(), s, a, 1));
    ASSERT_TRUE(a == b || add_special(heap->map(), s, b, 2));
    uint32_t beside = 0;
    for (uint32_t i = 0; i < s->objects; i++) {
      const unsigned said = class_beside_specials(s, s->slot_address(i));
      ASSERT_TRUE(said == 0 || said == c);
      const bool marked = i == a || i == b;
      ASSERT_FALSE(marked && said != 0) << "a marked slot is never taken for another";
      beside += said == c;
    }
    EXPECT_GE(beside, (s->objects - 2) * 3 / 4) << "of 64 filter bits two are set";
    EXPECT_EQ(class_beside_specials(s, s->end()), 0u) << "a page that names the span, but is no longer of it";
    EXPECT_EQ(class_beside_specials(s, s->base - 1), 0u);
    EXPECT_EQ(class_beside_specials(s, s->slot_address(s->objects - 1) + 1), 0u) << "no slot's start";
    remove_special(heap->map(), s, a);
    EXPECT_EQ(class_beside_specials(s, s->slot_address(b)), 0u) << "the other mark's bit stays";
    if (a != b) remove_special(heap->map(), s, b);
    EXPECT_EQ(s->special_filter.load(), 0u);
    EXPECT_EQ(s->special_class.load(), 0u);
    heap->central(c).uncache_span(s);
  }
}

TEST(SpecialsTest, SlotsThatAlwaysNeedACloserLookNeverPassBesideAMark) {
  auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  Span* blocks = heap->central(kTinyClass).cache_span(nullptr, nullptr);
  Span* large = heap->pages().allocate(10, 0);
  ASSERT_TRUE(blocks != nullptr && large != nullptr);
  for (Span* s : {blocks, large}) {
    ASSERT_TRUE(add_special(heap->map(), s, 0, 1));
    for (uintptr_t p = s->base; p < s->end(); p += kTinyBlockBytes) ASSERT_EQ(class_beside_specials(s, p), 0u);
    remove_special(heap->map(), s, 0);
  }
}

}  // namespace
}  // namespace liballoc
