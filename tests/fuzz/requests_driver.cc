// requests_driver.cc - sizes and alignments of any kind through the whole allocator: alignment,
// usable size, zeroing, contents, refusal of what cannot be, and counters that agree at rest.
#include <algorithm>
#include <cstring>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/core/tiny_objects.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"

namespace liballoc {
namespace {

constexpr size_t kMaxLiveBytes = size_t{48} << 20;

struct Object {
  unsigned char* p;
  size_t bytes;  // usable
  unsigned char fill;
};

// All bytes of small objects; both ends and one per page of large ones.
template <typename Visit>
void visit_bytes(const Object& o, Visit visit) {
  const size_t whole = std::min<size_t>(o.bytes, 8192);
  for (size_t i = 0; i < whole; i++) visit(o.p[i]);
  for (size_t i = whole; i < o.bytes; i += 4096) visit(o.p[i]);
  for (size_t i = std::max(whole, o.bytes - std::min<size_t>(o.bytes, 64)); i < o.bytes; i++) {
    visit(o.p[i]);
  }
}

// Objects that share blocks are counted apart from the blocks.
struct Live {
  int64_t objects = 0, blocks = 0;
  bool operator==(const Live&) const = default;
};
Live live_by_counters() {
  Live live;
  if (t_thread == nullptr) return live;
  const liballoc_abi_thread& block = *t_thread->block;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    const auto n = static_cast<int64_t>(counted_mallocs(block.classes[c]) - block.classes[c].frees);
    (c == kTinyClass ? live.blocks : live.objects) += n;
  }
  live.objects += static_cast<int64_t>(block.tiny_mallocs - block.tiny_frees);
  return live;
}

size_t pick_size(FuzzInput& input) {
  switch (input.below(8)) {
    case 0:
      return input.below(1024);
    case 1:
      return input.below(24);
    case 2:
      return input.below(65536);
    case 3: {  // around the edges of a class
      const size_t bytes = kClasses[1 + input.below(kSizeClasses - 1)].bytes;
      return bytes - 1 + input.below(3);
    }
    case 4:  // around the edges of a page run
      return (1 + input.below(200)) * kPageBytes - 1 + input.below(3);
    case 5:
      return input.below(size_t{4} << 20);
    case 6:
      return SIZE_MAX - input.below(size_t{1} << 32);
    default:
      return SIZE_MAX >> input.below(16);
  }
}

class RequestModel {
 public:
  void allocate(size_t bytes, size_t align, bool noscan, bool zero) {
    const bool absurd = bytes > (size_t{1} << 47);
    if (!absurd && live_bytes_ + bytes > kMaxLiveBytes) return;
    auto* p = static_cast<unsigned char*>(align <= 8 && !noscan && !zero
                                              ? liballoc::allocate(bytes)
                                              : allocate_general({bytes, align, noscan, zero}));
    if (absurd) {
      LIBALLOC_FUZZ_CHECK(p == nullptr);
      return;
    }
    LIBALLOC_FUZZ_CHECK(p != nullptr);
    LIBALLOC_FUZZ_CHECK(reinterpret_cast<uintptr_t>(p) % align == 0);
    if (bytes >= 16) LIBALLOC_FUZZ_CHECK(reinterpret_cast<uintptr_t>(p) % 16 == 0);
    if (zero) {
      visit_bytes({p, bytes, 0}, [](unsigned char c) { LIBALLOC_FUZZ_CHECK(c == 0); });
    }
    const size_t usable = usable_size(p);
    LIBALLOC_FUZZ_CHECK(usable >= bytes && usable != 0);
    const auto fill = static_cast<unsigned char>(++made_ * 37 + 1);
    const Object object{p, usable, fill};
    visit_bytes(object, [fill](unsigned char& c) { c = fill; });
    objects_.push_back(object);
    // A block that one object has to itself counts as a block alone.
    whole_blocks_ += is_whole_block(object) ? 1 : 0;
    live_bytes_ += usable;
  }
  void release(size_t pick) {
    if (objects_.empty()) return;
    std::swap(objects_[pick % objects_.size()], objects_.back());
    const Object object = objects_.back();
    objects_.pop_back();
    visit_bytes(object, [&](unsigned char c) { LIBALLOC_FUZZ_CHECK(c == object.fill); });
    LIBALLOC_FUZZ_CHECK(usable_size(object.p) == object.bytes);
    live_bytes_ -= object.bytes;
    whole_blocks_ -= is_whole_block(object) ? 1 : 0;
    liballoc::release(object.p);
  }
  size_t live() const { return objects_.size(); }
  size_t whole_blocks() const { return whole_blocks_; }

 private:
  static bool is_whole_block(const Object& object) {
    const Span* span = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(object.p));
    return span->tiny_words != nullptr && object.bytes == kTinyBlockBytes;
  }

  std::vector<Object> objects_;
  size_t live_bytes_ = 0;
  size_t whole_blocks_ = 0;
  unsigned made_ = 0;
};

}  // namespace

void drive_requests(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  RequestModel model;
  const Live live_before = live_by_counters();
  while (!input.empty()) {
    const uint8_t op = input.byte();
    if (op % 8 < 5) {
      const size_t size = pick_size(input);
      const size_t align = op / 8 % 4 == 0 ? size_t{1} << input.below(25) : 1;
      model.allocate(size, align, op / 32 % 4 == 0, op / 128 != 0);
    } else {
      for (size_t n = 1 + op / 8 % 8, pick = input.below(256); n > 0; n--) model.release(pick);
    }
  }
  LIBALLOC_FUZZ_CHECK(live_by_counters().objects - live_before.objects ==
                      static_cast<int64_t>(model.live() - model.whole_blocks()));
  while (model.live() != 0) model.release(0);
  if (t_thread != nullptr) let_tiny_go(*t_thread);
  LIBALLOC_FUZZ_CHECK(live_by_counters() == live_before);
  g_heap.verify();
  g_heap.pages().scavenge(SIZE_MAX, UINT64_MAX);
}

}  // namespace liballoc
