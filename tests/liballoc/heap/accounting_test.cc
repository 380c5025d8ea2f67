// accounting_test.cc - what the figures say against what the OS was asked for: every byte of address space in its state, every
// record of metadata counted, under random operations and with an OS that refuses now and then.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {
namespace {

// What the kernel has given and got back.
int64_t g_mapped = 0, g_allocated = 0;
int g_refuse_every = 0, g_asked = 0;

bool refuse() { return g_refuse_every != 0 && ++g_asked % g_refuse_every == 0; }

constexpr OsOps kCounting = {
    [](void* hint, size_t n, void** out) -> long {
      if (refuse()) return -12;
      const long r = kLinuxOs.reserve(hint, n, out);
      if (r == 0) g_mapped += static_cast<int64_t>(n);
      return r;
    },
    [](void* at, size_t n) -> long { return refuse() ? -12 : kLinuxOs.map(at, n); },
    [](size_t n, void** out) -> long {
      if (refuse()) return -12;
      const long r = kLinuxOs.alloc(n, out);
      if (r == 0) g_mapped += static_cast<int64_t>(n);
      if (r == 0) g_allocated += static_cast<int64_t>(n);
      return r;
    },
    [](void* at, size_t n) -> long {
      g_mapped -= static_cast<int64_t>(n);
      return kLinuxOs.unmap(at, n);
    },
    [](void* at, size_t n) -> long { return refuse() ? -12 : kLinuxOs.release(at, n); },
    [](void* at, size_t n) -> long { return kLinuxOs.protect_none(at, n); },
    [](void* at, size_t n, bool wanted) -> long { return refuse() ? -12 : kLinuxOs.dump(at, n, wanted); },
    [](void* at, size_t n) -> long { return refuse() ? -12 : kLinuxOs.fill(at, n); },
    // Of every other page of the heap refused: nothing depends on it.
    [](void* at, size_t n) -> long { return (reinterpret_cast<uintptr_t>(at) / kPageBytes) % 2 != 0 ? -12 : kLinuxOs.populate(at, n); }};

struct States {
  int64_t reserved, prepared, ready;
  int64_t sum() const { return reserved + prepared + ready; }
};
States states() {
  const SysMemStats& s = sys_mem_stats();
  return {static_cast<int64_t>(s.reserved_bytes.load()), static_cast<int64_t>(s.prepared_bytes.load()),
          static_cast<int64_t>(s.ready_bytes.load())};
}

class AccountingTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    g_mapped = g_allocated = 0;
    g_refuse_every = 0;
    set_os_ops_for_test(&kCounting);
    before_ = states();
    ASSERT_TRUE(pages_.init(0));
  }
  void TearDown() override { set_os_ops_for_test(nullptr); }

  void expect_every_byte_in_its_state() {
    const States now = states();
    ASSERT_EQ(now.sum() - before_.sum(), g_mapped);
    const PageHeapStats s = pages_.stats();
    // The table of arenas is mapped as a whole and counts as prepared.
    ASSERT_EQ(now.prepared - before_.prepared, static_cast<int64_t>(s.released + kArenaEntries * sizeof(ArenaMap::Entry)));
    ASSERT_EQ(s.heap_sys(), s.grow_bytes + rest_of_ranges_);
  }

  States before_{};
  SysStats sys_;
  ArenaMap map_;
  PageHeap pages_{map_, sys_};
  uint64_t rest_of_ranges_ = 0;  // of ranges that growth left for a new one
};

TEST_P(AccountingTest, EveryByteIsInTheStateThatTheFiguresSay) {
  std::mt19937 random(11);
  std::vector<Span*> live;
  g_refuse_every = GetParam();
  for (int i = 0; i < 4000; i++) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const bool noscan = random() % 4 == 0;
        const unsigned cls = random() % 2 == 0 ? 0 : 1 + static_cast<unsigned>(random()) % (kSizeClasses - 1);
        const size_t pages = cls != 0 ? kClasses[cls].pages : 1 + random() % (random() % 20 == 0 ? 20000 : 300);
        const PageHeapStats old = pages_.stats();
        Span* s = pages_.allocate(pages, cache_class(cls, noscan), cls == 0 && random() % 8 == 0 ? 16 : 1);
        const PageHeapStats now = pages_.stats();
        rest_of_ranges_ += now.heap_sys() - old.heap_sys() - (now.grow_bytes - old.grow_bytes);
        if (s != nullptr) live.push_back(s);
        break;
      }
      case 4:
        if (!live.empty() && live.back()->size_class == 0) {
          const size_t to = 1 + random() % 400;
          if (to < live.back()->pages) static_cast<void>(pages_.try_shrink(live.back(), to));
          else if (to > live.back()->pages) static_cast<void>(pages_.try_grow(live.back(), to));
        }
        break;
      case 5:
        static_cast<void>(pages_.scavenge((random() % 1000) * kPageBytes, UINT64_MAX));
        break;
      default:
        if (live.empty()) break;
        std::swap(live[random() % live.size()], live.back());
        pages_.free(live.back());
        live.pop_back();
    }
    expect_every_byte_in_its_state();
    if (HasFatalFailure()) return;
    if (i % 100 == 0) pages_.verify();
  }
  g_refuse_every = 0;
  for (Span* s : live) pages_.free(s);
  static_cast<void>(pages_.scavenge(SIZE_MAX, UINT64_MAX));
  expect_every_byte_in_its_state();
  EXPECT_EQ(pages_.stats().in_use, 0u);
  EXPECT_EQ(pages_.stats().idle, pages_.stats().released);
}
INSTANTIATE_TEST_SUITE_P(AnOs, AccountingTest, testing::Values(0, 37, 5), [](const auto& p) {
  return p.param == 0 ? std::string("ThatGives") : "ThatRefusesEvery" + std::to_string(p.param);
});

TEST_F(AccountingTest, EveryKindOfMetadataIsCountedWhileItIsInUse) {
  const PageHeapMetadata none = pages_.metadata();
  EXPECT_EQ(none.bitmaps.records, 0u);
  std::vector<Span*> spans;
  for (int i = 0; i < 50; i++) spans.push_back(pages_.allocate(1, cache_class(10, false)));
  for (int i = 0; i < 20; i++) spans.push_back(pages_.allocate(1, kTinyClass));
  for (int i = 0; i < 30; i++) spans.push_back(pages_.allocate(3, 0));
  const PageHeapMetadata all = pages_.metadata();
  EXPECT_EQ(all.bitmaps.records, 70u);
  EXPECT_EQ(all.tiny_words.records, 20u);
  EXPECT_EQ(all.tiny_words.bytes, 20u * 512 * 4);
  EXPECT_EQ(all.spans.records, 101u) << "and one for the rest";
  EXPECT_EQ(all.tree_nodes.records, all.spans.records);
  EXPECT_EQ(all.spans.bytes, all.spans.records * sizeof(Span));
  EXPECT_GE(all.arenas.records, 1u);
  EXPECT_GE(all.arena_hints.records, 2u) << "made of the address that the OS chose";
  for (Span* s : spans) pages_.free(s);
  const PageHeapMetadata after = pages_.metadata();
  EXPECT_EQ(after.bitmaps.records, 0u);
  EXPECT_EQ(after.tiny_words.records, 0u);
  EXPECT_EQ(after.tree_nodes.records, after.spans.records);
  EXPECT_LE(after.spans.records, 3u) << "joined again";
}

}  // namespace
}  // namespace liballoc
