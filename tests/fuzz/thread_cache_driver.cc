// thread_cache_driver.cc - three threads' caches in front of one heap, run by turns: no slot in two
// hands, contents kept, bad frees named, nothing left behind.
#include <cstring>
#include <iterator>
#include <map>
#include <vector>

#include "liballoc/heap/thread_region.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"
#include "tests/fuzz/reused_heap.h"

namespace liballoc {
namespace {

constexpr size_t kThreads = 3;
constexpr unsigned kTried[] = {1, 2, 5, 24, 45, 54, 66, cache_class(5, true)};

ReusedHeap g_reused;
RelaxedCounter g_stat;

struct Threads {
  Threads() {
    for (ThreadState& state : states) {
      LIBALLOC_FUZZ_CHECK(thread_region_init(state, g_stat));
      state.cache->state = &state;
    }
  }
  ThreadState states[kThreads]{};  // zero-filled, as the library's
};

class CacheModel {
 public:
  CacheModel(Heap& heap, Threads& threads) : heap_(heap), threads_(threads) {}

  void allocate(size_t thread, unsigned cls) {
    ThreadState& state = threads_.states[thread];
    Bin& bin = state.cache->bins[cls];
    bool zero = false;
    auto* p = static_cast<uint64_t*>(bin.top == bin.base ? thread_cache_refill(heap_, state, cls, &zero)
                                                         : *--bin.top);
    LIBALLOC_FUZZ_CHECK(p != nullptr);
    const Span* span = heap_.map().find_in_use(reinterpret_cast<uintptr_t>(p));
    LIBALLOC_FUZZ_CHECK(span != nullptr && span->cache_class == cls);
    LIBALLOC_FUZZ_CHECK(span->is_slot_start(reinterpret_cast<uintptr_t>(p)));
    LIBALLOC_FUZZ_CHECK(live_.emplace(p, cls).second);
    LIBALLOC_FUZZ_CHECK(!zero || (*p == 0 && *last_word(p, cls) == 0));  // every object is written to
    write_tags(p, cls);
  }
  void release(size_t thread, size_t pick) {
    if (live_.empty()) return;
    auto it = live_.begin();
    std::advance(it, pick % live_.size());
    const auto [p, cls] = *it;
    check_tags(p, cls);
    live_.erase(it);
    ThreadState& state = threads_.states[thread];
    Bin& bin = state.cache->bins[cls];
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    LIBALLOC_FUZZ_CHECK(bin.top != bin.limit ||
                        thread_cache_make_room(heap_, state, cls, &bad, &culprit));
    LIBALLOC_FUZZ_CHECK(bin.top < bin.limit &&
                        bin.limit - bin.base <= max_slots(size_class_of(cls)));
    *bin.top++ = p;
  }
  void flush(size_t thread) {
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    LIBALLOC_FUZZ_CHECK(thread_cache_flush(heap_, threads_.states[thread], &bad, &culprit));
    LIBALLOC_FUZZ_CHECK(thread_cache_bytes(threads_.states[thread]) == 0);
  }
  void page_run(size_t thread, size_t pages, bool keep) {
    ThreadState& state = threads_.states[thread];
    const uint64_t before = state.pages.bytes();
    Span* s = state.pages.take(pages);
    if (s != nullptr) {
      LIBALLOC_FUZZ_CHECK(s->pages == pages && s->place == SpanPlace::kLarge);
      LIBALLOC_FUZZ_CHECK(state.pages.bytes() == before - s->bytes());
    } else {
      s = heap_.pages().allocate(pages, 0);
    }
    LIBALLOC_FUZZ_CHECK(s != nullptr);
    *reinterpret_cast<uint64_t*>(s->end() - 8) = s->base;
    if (keep && state.pages.keep(heap_, &state, s)) {
      LIBALLOC_FUZZ_CHECK(state.pages.bytes() <= kPageCacheMaxBytes);
      return;
    }
    heap_.pages().free(s);
  }
  // What no program may hand in is refused, with its reason, and nothing changes.
  void refuse(size_t pick, size_t kind) {
    if (live_.empty()) return;
    auto it = live_.begin();
    std::advance(it, pick % live_.size());
    const auto [p, cls] = *it;
    uint64_t local = 0;
    switch (kind) {
      case 0:
        expect_refused(reinterpret_cast<char*>(p) + 1, cls, BadFree::kInterior);
        break;
      case 1:
        expect_refused(&local, cls, BadFree::kNotAllocated);
        break;
      case 2:
        expect_refused(p, cls == 66 ? 1 : 66, BadFree::kNotAllocated);
        break;
    }
    check_tags(p, cls);
  }
  // What a fork does to the forking thread: its head is wiped, then restored.
  void fork(size_t thread) {
    ThreadState& state = threads_.states[thread];
    thread_cache_save_for_fork(state);
    std::memset(static_cast<void*>(state.cache), 0, sizeof(*state.cache));
    thread_cache_restore_after_fork(state);
    state.cache->state = &state;
  }
  void finish() {
    while (!live_.empty()) release(0, 0);
    for (size_t i = 0; i < kThreads; i++) flush(i);
    heap_.drain_transfers(true);
  }
  size_t live() const { return live_.size(); }

 private:
  static uint64_t tag_of(const uint64_t* p) { return reinterpret_cast<uintptr_t>(p) * 31 + 7; }
  static uint64_t* last_word(uint64_t* p, unsigned cls) {
    return p + kClasses[size_class_of(cls)].bytes / 8 - 1;
  }
  static void write_tags(uint64_t* p, unsigned cls) { *p = *last_word(p, cls) = tag_of(p); }
  static void check_tags(uint64_t* p, unsigned cls) {
    LIBALLOC_FUZZ_CHECK(*p == tag_of(p) && *last_word(p, cls) == tag_of(p));
  }
  void expect_refused(void* p, unsigned cls, BadFree why) {
    BadFree bad = BadFree::kNone;
    LIBALLOC_FUZZ_CHECK(heap_.central(cls).free_slots(&p, 1, &bad) == 0);
    LIBALLOC_FUZZ_CHECK(bad == why);
    // A transfer cache is given only what a bin held, so slots of its class; it looks whether they start an object.
    if (why != BadFree::kInterior) return;
    LIBALLOC_FUZZ_CHECK(heap_.transfer(cls).give(&p, 1, &bad) == 0);
    LIBALLOC_FUZZ_CHECK(bad == why);
  }

  Heap& heap_;
  Threads& threads_;
  std::map<uint64_t*, unsigned> live_;
};

}  // namespace

void drive_thread_cache(std::span<const uint8_t> bytes) {
  static std::unique_ptr<Threads> threads;
  FuzzInput input(bytes);
  Heap& heap = g_reused.next([] {
    if (threads == nullptr) threads = std::make_unique<Threads>();
  });
  CacheModel model(heap, *threads);
  unsigned steps = 0;
  while (!input.empty()) {
    const size_t op = input.below(16);
    const size_t thread = input.below(kThreads);
    if (op < 6) {
      const unsigned cls = kTried[input.below(std::size(kTried))];
      for (size_t n = 1 + input.below(64); n > 0 && model.live() < 4096; n--) {
        model.allocate(thread, cls);
      }
    } else if (op < 11) {
      const size_t stride = 1 + input.below(16);
      for (size_t n = 1 + input.below(64), pick = input.below(65536); n > 0; n--) {
        model.release(thread, pick += stride);
      }
    } else if (op == 11) {
      model.flush(thread);
      if (input.below(4) == 0) heap.drain_transfers(input.below(2) == 0);
    } else if (op < 14) {
      const bool keep = input.below(4) != 0;
      model.page_run(thread, 5 + input.below(kPageCacheMaxPages), keep);
    } else if (op == 14) {
      model.refuse(input.below(256), input.below(3));
    } else {
      model.fork(thread);
    }
    if (++steps % 8 == 0) heap.verify();
  }
  model.finish();
  g_reused.expect_empty();
}

}  // namespace liballoc
