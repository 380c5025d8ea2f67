// span_driver.cc - a span's bitmap and window against one state per slot. The model predicts each
// slot that is handed out, not only that it was free.
#include <algorithm>
#include <vector>

#include "liballoc/heap/span.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"

namespace liballoc {
namespace {

constexpr uint32_t kMaxTake = 256;

class SpanModel {
 public:
  explicit SpanModel(unsigned cache_cls) {
    const SizeClass& c = kClasses[size_class_of(cache_cls)];
    const uint32_t words = static_cast<uint32_t>(std::bit_ceil((c.objects + 63) / 64));
    bits_.resize(2 * words);
    span_.base = uintptr_t{1} << 30;
    span_.pages = c.pages;
    span_.init_small(cache_cls, bits_.data(), words);
    span_.state.store(SpanState::kInUse);
    slots_.resize(c.objects, Slot::kFree);
  }

  void take(uint32_t want) {
    void* out[kMaxTake];
    const uint32_t got = span_.take(out + kMaxTake, want);
    LIBALLOC_FUZZ_CHECK(got <= want);
    for (uint32_t i = 0; i < got; i++) expect_next(out[kMaxTake - 1 - i]);
    if (got < want) expect_next(nullptr);
  }
  void next() { expect_next(span_.next_free()); }
  void next_fast() {
    // It may give up where next_free() would not, and then it changes nothing.
    if (void* p = span_.next_free_fast()) expect_next(p);
  }
  void mark(size_t pick) {
    const std::vector<uint32_t> taken = slots_in(Slot::kTaken);
    if (taken.empty()) return;
    const uint32_t slot = taken[pick % taken.size()];
    span_.set_mark(slot);
    slots_[slot] = Slot::kMarked;
  }
  void mark_all() {
    for (const uint32_t slot : slots_in(Slot::kTaken)) {
      span_.set_mark(slot);
      slots_[slot] = Slot::kMarked;
    }
  }
  void sweep() {
    const std::vector<uint32_t> marked = slots_in(Slot::kMarked);
    LIBALLOC_FUZZ_CHECK(span_.sweep() == marked.size());
    for (const uint32_t slot : marked) slots_[slot] = Slot::kFree;
    cursor_ = 0;
  }
  void look_up(size_t offset) {
    offset %= span_.bytes();
    const bool start =
        offset % span_.object_bytes == 0 && offset / span_.object_bytes < slots_.size();
    LIBALLOC_FUZZ_CHECK(span_.is_slot_start(span_.base + offset) == start);
  }
  void check() const {
    uint32_t counted = 0;
    for (uint32_t i = 0; i < slots_.size(); i++) {
      LIBALLOC_FUZZ_CHECK(span_.slot_taken(i) == (slots_[i] != Slot::kFree));
      LIBALLOC_FUZZ_CHECK(span_.test_mark(i) == (slots_[i] == Slot::kMarked));
      counted += slots_[i] == Slot::kTaken ? 1 : 0;
    }
    LIBALLOC_FUZZ_CHECK(span_.has_free_slot() == (counted < slots_.size()));
    span_.verify();
  }

 private:
  enum class Slot : uint8_t { kFree, kTaken, kMarked };

  std::vector<uint32_t> slots_in(Slot state) const {
    std::vector<uint32_t> out;
    for (uint32_t i = 0; i < slots_.size(); i++) {
      if (slots_[i] == state) out.push_back(i);
    }
    return out;
  }
  // The lowest free slot behind the last that was handed out since the sweep.
  void expect_next(const void* p) {
    while (cursor_ < slots_.size() && slots_[cursor_] != Slot::kFree) cursor_++;
    if (cursor_ == slots_.size()) {
      LIBALLOC_FUZZ_CHECK(p == nullptr);
      return;
    }
    LIBALLOC_FUZZ_CHECK(reinterpret_cast<uintptr_t>(p) == span_.slot_address(cursor_));
    slots_[cursor_++] = Slot::kTaken;
  }

  Span span_;
  std::vector<uint64_t> bits_;
  std::vector<Slot> slots_;
  uint32_t cursor_ = 0;
};

}  // namespace

void drive_span(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  const unsigned size_cls = 1 + static_cast<unsigned>(input.below(kSizeClasses - 1));
  SpanModel model(cache_class(size_cls, input.below(2) != 0));
  while (!input.empty()) {
    switch (input.below(8)) {
      case 0:
      case 1:
        model.take(static_cast<uint32_t>(input.below(kMaxTake + 1)));
        break;
      case 2:
        model.next();
        break;
      case 3:
        model.next_fast();
        break;
      case 4:
        for (size_t n = input.below(64), pick = input.below(65536); n > 0; n--) {
          model.mark(pick += 7919);
        }
        break;
      case 5:
        model.mark_all();
        break;
      case 6:
        model.sweep();
        break;
      case 7:
        model.look_up(input.below(size_t{1} << 32));
        break;
    }
    model.check();
  }
}

}  // namespace liballoc
