// size_trust.h - whether a sized delete may take the class of the object from the size that the program says, without a look at
// the page's. Never for a program that replaced an operator, nor once a size was found wrong.
//
// Trust is earned by the first kProbation sizes, which are compared with what the page says. One that is wrong ends it for good: there,
// or later where its slot comes back to its span by way of another class's bin (CentralList::free_slots()).
// The size does not tell that an object is sampled. g_marked_pages does: how many objects that no size may be trusted for begin on
// pages with this hash. Where that is not 0 the page is asked as ever.
// Marks are relaxed: an object's is set before it is handed out, and whatever hands it over orders the load at its end after
// that. Whether sizes are trusted a little longer in one thread than in another does not matter: slots find their spans.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/heap/size_classes.h"

namespace liballoc {

inline constexpr uint64_t kProbation = 4096;

namespace size_trust_detail {
inline constexpr size_t kTrusted = size_class_detail::kSmallStepLimit + 1;
inline constexpr size_t kPageHashes = 65536;
}  // namespace size_trust_detail

// Sizes below are trusted: 0, or those of the first lookup table.
LIBALLOC_HIDDEN extern constinit std::atomic<size_t> g_trusted_below;
// A count that reached its end stays there.
LIBALLOC_HIDDEN extern constinit std::atomic<uint8_t> g_marked_pages[size_trust_detail::kPageHashes];

inline std::atomic<uint8_t>& marks_beside(uintptr_t address) {
  return g_marked_pages[(address >> kPageShift) % size_trust_detail::kPageHashes];
}

// Whether the class of what is freed follows from the size. Trust is loaded before the mark, by acquire: pairs with the store in
// judge_size(), which the mark of the null pointer comes before.
LIBALLOC_INLINE bool size_tells_class(const void* p, size_t bytes) {
  const std::atomic<uint8_t>& marks = marks_beside(reinterpret_cast<uintptr_t>(p));
#if defined(__x86_64__) && !LIBALLOC_TSAN
  // Compared where they lie: the compiler would load an atomic first. Volatile keeps the order, as loads of this processor do.
  bool trusted, unmarked;
  __asm__ volatile("cmpq %2, %1" : "=@cca"(trusted) : "m"(g_trusted_below), "r"(bytes) : "cc");
  if (LIBALLOC_UNLIKELY(!trusted)) return false;
  __asm__ volatile("cmpb $0, %1" : "=@cce"(unmarked) : "m"(marks) : "cc");
  return unmarked;
#else
  return bytes < g_trusted_below.load(std::memory_order_acquire) && marks.load(std::memory_order_relaxed) == 0;
#endif
}

// Around the life of an object on that page for which no size is trusted: before it is handed out, and when it has come back.
void mark_page(uintptr_t address);
void unmark_page(uintptr_t address);

// Sizes may earn trust from now on, unless they are distrusted already. Once, when it is known that operators are ours.
void watch_sizes();
// Whether they are to be compared with what the page says.
bool sizes_on_probation();
// Of one that was.
void judge_size(bool right);
inline bool sizes_are_trusted() { return g_trusted_below.load(std::memory_order_relaxed) != 0; }
// From now on, for good.
LIBALLOC_COLD void distrust_sizes();
// Whether a slot may have come into a bin of another class.
bool sizes_were_trusted();

}  // namespace liballoc
