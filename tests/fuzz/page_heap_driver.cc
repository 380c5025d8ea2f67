// page_heap_driver.cc - page runs against a map of live spans, with an OS that refuses now and
// then: no overlap, contents kept, zero memory where it is promised, every figure adds up.
#include <cstring>
#include <iterator>
#include <map>

#include "liballoc/os/os.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"
#include "tests/fuzz/reused_heap.h"

namespace liballoc {
namespace {

constexpr size_t kMaxLivePages = 4 * kPagesPerArena;

ReusedHeap g_reused;
uint32_t g_refusals = 0;  // the next calls that ask the OS for something are refused

bool refused() {
  if (g_refusals == 0) return false;
  g_refusals--;
  return true;
}
constexpr OsOps kUnreliableOs = {
    [](void* hint, size_t n, void** out) -> long {
      return refused() ? -12 : kLinuxOs.reserve(hint, n, out);
    },
    [](void* at, size_t n) -> long { return refused() ? -12 : kLinuxOs.map(at, n); },
    [](size_t n, void** out) -> long { return refused() ? -12 : kLinuxOs.alloc(n, out); },
    [](void* at, size_t n) -> long { return kLinuxOs.unmap(at, n); },
    [](void* at, size_t n) -> long { return refused() ? -12 : kLinuxOs.release(at, n); },
    [](void* at, size_t n) -> long { return kLinuxOs.protect_none(at, n); },
    [](void* at, size_t n, bool wanted) -> long { return refused() ? -12 : kLinuxOs.dump(at, n, wanted); },
    [](void* at, size_t n) -> long { return refused() ? -12 : kLinuxOs.fill(at, n); },
    // Of every other page of the heap refused: nothing depends on it.
    [](void* at, size_t n) -> long { return (reinterpret_cast<uintptr_t>(at) / kPageBytes) % 2 != 0 ? -12 : kLinuxOs.populate(at, n); }};

class PageHeapModel {
 public:
  explicit PageHeapModel(PageHeap& heap) : heap_(heap) {}

  void allocate(size_t pages, unsigned cache_cls, size_t align_pages) {
    if (live_pages_ + pages > kMaxLivePages) return;
    const uint32_t refusals = g_refusals;
    Span* s = heap_.allocate(pages, cache_cls, align_pages);
    if (s == nullptr) {
      LIBALLOC_FUZZ_CHECK(refusals != 0);
      return;
    }
    // More than asked for only when metadata could not be had.
    LIBALLOC_FUZZ_CHECK(s->pages == pages || (s->pages > pages && refusals != g_refusals));
    LIBALLOC_FUZZ_CHECK(s->base % (align_pages * kPageBytes) == 0);
    const auto after = live_.lower_bound(s->base);
    LIBALLOC_FUZZ_CHECK(after == live_.end() || s->end() <= after->first);
    LIBALLOC_FUZZ_CHECK(after == live_.begin() || std::prev(after)->second->end() <= s->base);
    LIBALLOC_FUZZ_CHECK(heap_.map().find_in_use(s->base + s->bytes() / 2) == s);
    for (uint64_t* word : {first(s), middle(s), last(s)}) {
      LIBALLOC_FUZZ_CHECK(s->need_zero || *word == 0);
      *word = s->base;
    }
    live_[s->base] = s;
    live_pages_ += s->pages;
  }
  void free(size_t pick) {
    if (live_.empty()) return;
    auto it = live_.begin();
    std::advance(it, pick % live_.size());
    Span* s = it->second;
    for (const uint64_t* word : {first(s), middle(s), last(s)}) {
      LIBALLOC_FUZZ_CHECK(*word == s->base);
    }
    live_pages_ -= s->pages;
    live_.erase(it);
    heap_.free(s);
  }
  // Longer or shorter where it is; false of try_grow() changes nothing.
  void resize(size_t pick, size_t pages) {
    if (live_.empty()) return;
    auto it = live_.begin();
    std::advance(it, pick % live_.size());
    Span* s = it->second;
    if (s->size_class != 0 || s->pages == pages || live_pages_ + pages > kMaxLivePages) return;
    const size_t before = s->pages;
    const uint64_t* old_last = last(s);
    const uint64_t old_last_value = *old_last;
    const uint32_t refusals = g_refusals;
    if (pages > before) {
      const bool grew = heap_.try_grow(s, pages);
      LIBALLOC_FUZZ_CHECK(grew ? s->pages >= pages : s->pages == before);
      LIBALLOC_FUZZ_CHECK(s->pages <= pages || refusals != g_refusals);
      LIBALLOC_FUZZ_CHECK(*old_last == old_last_value);
      const auto after = std::next(it);
      LIBALLOC_FUZZ_CHECK(after == live_.end() || s->end() <= after->first);
    } else {
      const bool shrank = heap_.try_shrink(s, pages);
      LIBALLOC_FUZZ_CHECK(shrank ? s->pages == pages : s->pages == before);
      LIBALLOC_FUZZ_CHECK(shrank || refusals != g_refusals);
    }
    LIBALLOC_FUZZ_CHECK(s->base == it->first && *first(s) == s->base);
    for (uint64_t* word : {middle(s), last(s)}) *word = s->base;
    live_pages_ += s->pages;
    live_pages_ -= before;
  }
  void free_all() {
    while (!live_.empty()) free(0);
  }
  void scavenge(size_t bytes) {
    const PageHeapStats before = heap_.stats();
    const size_t released = heap_.scavenge(bytes, UINT64_MAX);
    const PageHeapStats after = heap_.stats();
    LIBALLOC_FUZZ_CHECK(after.released == before.released + released);
    LIBALLOC_FUZZ_CHECK(after.idle == before.idle && after.in_use == before.in_use);
  }
  void check() {
    LIBALLOC_FUZZ_CHECK(heap_.stats().in_use == live_pages_ * kPageBytes);
    LIBALLOC_FUZZ_CHECK(heap_.stats().spans_in_use == live_.size());
    // verify() looks at each page in use.
    if (live_pages_ < 2048 || ++steps_ % 16 == 0) heap_.verify();
  }

 private:
  static uint64_t* first(const Span* s) { return reinterpret_cast<uint64_t*>(s->base); }
  static uint64_t* middle(const Span* s) {
    return reinterpret_cast<uint64_t*>(s->base + s->pages / 2 * kPageBytes + 64);
  }
  static uint64_t* last(const Span* s) { return reinterpret_cast<uint64_t*>(s->end()) - 1; }

  PageHeap& heap_;
  std::map<uintptr_t, Span*> live_;
  size_t live_pages_ = 0;
  unsigned steps_ = 0;
};

}  // namespace

void drive_page_heap(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  Heap& heap = g_reused.next([] {});
  PageHeapModel model(heap.pages());
  uint64_t now = monotonic_ns() + 2'000'000'000;
  set_os_ops_for_test(&kUnreliableOs);
  while (!input.empty()) {
    const size_t op = input.below(16);
    switch (op) {
      case 0:
      case 1:
      case 2:
      case 3:
        model.allocate(1 + input.below(32), cache_class(0, op == 3), 1);
        break;
      case 4:
        model.allocate(1 + input.below(2048), 0, 1);
        break;
      case 5:
        model.allocate(1 + input.below(64), 0, size_t{1} << input.below(13));
        break;
      case 6: {
        const unsigned cls = 1 + static_cast<unsigned>(input.below(kSizeClasses - 1));
        model.allocate(kClasses[cls].pages, cache_class(cls, input.below(2) != 0), 1);
        break;
      }
      case 7:
        model.allocate(1 + input.below(3 * kPagesPerArena), 0, 1);
        break;
      case 8:
      case 9:
      case 10:
      case 11:
        model.free(input.below(256));
        break;
      case 12:
        model.scavenge(input.below(256) * kPageBytes);
        break;
      case 13:
        model.scavenge(SIZE_MAX);
        break;
      case 14:
        heap.pages().scavenge_tick(now += 200'000'000);
        break;
      case 15: {
        const size_t kind = input.below(32);
        if (kind < 8) {
          g_refusals = static_cast<uint32_t>(kind);
          g_reused.replace();
        } else {
          model.resize(kind, 1 + input.below(256));
        }
        break;
      }
    }
    model.check();
  }
  g_refusals = 0;
  set_os_ops_for_test(nullptr);
  model.free_all();
  g_reused.expect_empty();
}

}  // namespace liballoc
