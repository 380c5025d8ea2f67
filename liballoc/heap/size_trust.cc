// size_trust.cc - see size_trust.h.
#include "liballoc/heap/size_trust.h"

#include "liballoc/base/atomic.h"

namespace liballoc {

using size_trust_detail::kPageHashes;
using size_trust_detail::kTrusted;

namespace {

enum class Trust : uint8_t { kUnknown, kProbation, kTrusted, kDistrusted };
constinit std::atomic<Trust> g_trust{Trust::kUnknown};
constinit RelaxedCounter g_right_sizes;  // while on probation

// Several lanes may be at a count at once.
void change_marks(uintptr_t address, int by) {
  std::atomic<uint8_t>& marks = marks_beside(address);
  uint8_t now = marks.load(std::memory_order_relaxed);
  while (now != UINT8_MAX && !marks.compare_exchange_weak(now, static_cast<uint8_t>(now + by), std::memory_order_relaxed)) {
  }
}

}  // namespace

constinit std::atomic<size_t> g_trusted_below{0};
constinit std::atomic<uint8_t> g_marked_pages[kPageHashes] = {};

void mark_page(uintptr_t address) { change_marks(address, 1); }
void unmark_page(uintptr_t address) { change_marks(address, -1); }

void watch_sizes() {
  Trust expected = Trust::kUnknown;
  g_trust.compare_exchange_strong(expected, Trust::kProbation, std::memory_order_relaxed);
}

bool sizes_on_probation() { return g_trust.load(std::memory_order_relaxed) == Trust::kProbation; }

// Sequentially consistent with judge_size(): of two that meet here one sees what the other stored, so trust does not outlast this.
void distrust_sizes() {
  g_trust.store(Trust::kDistrusted, std::memory_order_seq_cst);
  g_trusted_below.store(0, std::memory_order_seq_cst);
}

void judge_size(bool right) {
  if (!right) return distrust_sizes();
  g_right_sizes.add(1);
  if (g_right_sizes.load() < kProbation) return;
  Trust expected = Trust::kProbation;
  if (!g_trust.compare_exchange_strong(expected, Trust::kTrusted, std::memory_order_relaxed)) return;
  mark_page(0);  // the null pointer goes into no bin: before any size is trusted, see size_tells_class()
  g_trusted_below.store(kTrusted, std::memory_order_seq_cst);
  if (g_trust.load(std::memory_order_seq_cst) == Trust::kDistrusted) g_trusted_below.store(0, std::memory_order_seq_cst);
}

bool sizes_were_trusted() { return g_right_sizes.load() >= kProbation; }

}  // namespace liballoc
