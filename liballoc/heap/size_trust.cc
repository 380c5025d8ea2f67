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

}  // namespace

constinit std::atomic<size_t> g_trusted_below{0};
constinit std::atomic<uint8_t> g_marked_pages[kPageHashes] = {};

void mark_page(uintptr_t address) {
  std::atomic<uint8_t>& marks = marks_beside(address);
  uint8_t now = marks.load(std::memory_order_relaxed);
  while (now != UINT8_MAX && !marks.compare_exchange_weak(now, static_cast<uint8_t>(now + 1), std::memory_order_relaxed)) {
  }
}

void unmark_page(uintptr_t address) {
  std::atomic<uint8_t>& marks = marks_beside(address);
  uint8_t now = marks.load(std::memory_order_relaxed);
  while (now != UINT8_MAX && !marks.compare_exchange_weak(now, static_cast<uint8_t>(now - 1), std::memory_order_relaxed)) {
  }
}

void watch_sizes() {
  mark_page(0);  // the null pointer goes into no bin
  Trust expected = Trust::kUnknown;
  g_trust.compare_exchange_strong(expected, Trust::kProbation, std::memory_order_relaxed);
}

bool sizes_on_probation() { return g_trust.load(std::memory_order_relaxed) == Trust::kProbation; }

// One of the two that meet sees what the other stored: nobody is trusted after this for long.
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
  g_trusted_below.store(kTrusted, std::memory_order_seq_cst);
  if (g_trust.load(std::memory_order_seq_cst) == Trust::kDistrusted) g_trusted_below.store(0, std::memory_order_seq_cst);
}

bool sizes_were_trusted() { return g_right_sizes.load() >= kProbation; }

}  // namespace liballoc
