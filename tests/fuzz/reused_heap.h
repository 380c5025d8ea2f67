// reused_heap.h - a heap that many runs of a driver share, because address space and metadata are
// never given back. Each run must leave it empty: then the next starts from one idle, released run
// of pages. Replaced now and then, so that growth from nothing is seen as well.
#pragma once

#include <memory>

#include "liballoc/heap/heap.h"
#include "tests/fuzz/fuzz_target.h"

namespace liballoc {

class ReusedHeap {
 public:
  static constexpr int kRuns = 512;  // of one heap

  // The heap for the next run. `renew` has run for a new one.
  template <typename Renew>
  Heap& next(Renew renew) {
    if (heap_ == nullptr || ++runs_ >= kRuns || replace_) {
      heap_ = std::make_unique<Heap>();
      LIBALLOC_FUZZ_CHECK(heap_->init(0));
      runs_ = 0;
      replace_ = false;
      renew();
    }
    return *heap_;
  }
  // At the end of a run.
  void expect_empty() {
    heap_->verify();
    LIBALLOC_FUZZ_CHECK(heap_->pages().stats().in_use == 0);
    LIBALLOC_FUZZ_CHECK(heap_->pages().stats().spans_in_use == 0);
    heap_->pages().scavenge(SIZE_MAX, UINT64_MAX);
    const PageHeapStats stats = heap_->pages().stats();
    LIBALLOC_FUZZ_CHECK(stats.idle == stats.released || replace_);
    heap_->verify();
  }
  // After the OS was made to refuse: metadata that could not be had may cost idle pages for good.
  void replace() { replace_ = true; }

 private:
  std::unique_ptr<Heap> heap_;
  int runs_ = 0;
  bool replace_ = false;
};

}  // namespace liballoc
