// tiny_objects.cc - see tiny_objects.h.
#include "liballoc/core/tiny_objects.h"

#include <atomic>

#include "liballoc/core/report.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/heap/specials.h"

namespace liballoc {

namespace {

std::atomic<uint32_t>& word_of(const Span* span, uintptr_t address) { return span->tiny_words[span->slot_of(address)]; }

Span* span_of(uintptr_t address) { return g_heap.map().find_in_use(address); }

uint32_t held_piece(const TinyCursor& cursor) { return tiny_piece(cursor.at, kTinyBlockBytes - cursor.at); }

[[noreturn]] void report_no_object(uint32_t word, const void* p) {
  const uint32_t at = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p) % kTinyBlockBytes);
  report_bad_free(tiny_byte_taken(word, at) ? BadFree::kInterior : BadFree::kDoubleFree, const_cast<void*>(p));
}

// Takes the piece away; true when it was the block's last. The piece is the caller's, unless the program is wrong.
bool take_away(std::atomic<uint32_t>& word, uint32_t piece, uintptr_t address) {
  // Release: what its owner did to the piece comes before; acquire: and all that others did, when it is the last.
  const uint32_t before = word.fetch_and(~piece, std::memory_order_acq_rel);
  if (LIBALLOC_UNLIKELY((before & piece) != piece)) report_no_object(before & ~piece, reinterpret_cast<void*>(address));
  return before == piece;
}

void release_block(Thread& thread, Span* span, uintptr_t block) {
  if (has_specials(span)) unsample_object(thread, span, span->slot_of(block));
  release_small(thread, span, reinterpret_cast<void*>(block));
}

// An empty block; its word is the caller's to set.
uintptr_t allocate_block(Thread& thread, size_t requested, std::atomic<uint32_t>** word) {
  void* p = allocate_small(thread, kTinyClass, requested, false);
  if (p == nullptr) return 0;
  const uintptr_t block = reinterpret_cast<uintptr_t>(p);
  *word = &word_of(span_of(block), block);
  LIBALLOC_CHECK((*word)->load(std::memory_order_relaxed) == 0);
  return block;
}

}  // namespace

void* allocate_tiny(Thread& thread, size_t bytes, size_t align) {
  const uint32_t n = bytes == 0 ? 1 : static_cast<uint32_t>(bytes);
  std::atomic<uint32_t>* word = nullptr;
  if (n == kTinyBlockBytes || align > tiny_align(n)) {  // a block of its own
    const uintptr_t block = allocate_block(thread, bytes, &word);
    // Relaxed: nobody else knows the block.
    if (block != 0) word->store(tiny_piece(0, kTinyBlockBytes), std::memory_order_relaxed);
    return reinterpret_cast<void*>(block);
  }
  TinyCursor& cursor = thread.heap.tiny;
  if (cursor.block != 0) {
    const uint32_t step = tiny_align(n), from = (cursor.at + step - 1) & ~(step - 1);
    if (from + n <= kTinyBlockBytes) {
      const uint32_t held = held_piece(cursor);
      const uint32_t split = tiny_piece(from, n) | tiny_piece(from + n, kTinyBlockBytes - from - n);
      // The held piece becomes two in one step; other threads change none of its bits. Relaxed: whoever frees the object got
      // its address from the program, behind this.
      const uint32_t before = word_of(span_of(cursor.block), cursor.block).fetch_xor(held ^ split, std::memory_order_relaxed);
      if (LIBALLOC_UNLIKELY((before & held) != held)) {
        report_bad_free(BadFree::kDoubleFree, reinterpret_cast<void*>(cursor.block + cursor.at));
      }
      void* p = reinterpret_cast<void*>(cursor.block + from);
      cursor.at = from + n;
      if (cursor.at == kTinyBlockBytes) cursor.block = 0;
      owned_add(&thread.block->tiny_mallocs, uint64_t{1});
      return p;
    }
  }
  const uintptr_t block = allocate_block(thread, bytes, &word);
  if (block == 0) return nullptr;
  const uint32_t object = tiny_piece(0, n);
  if (cursor.block != 0 && cursor.at <= n) {  // the old block has more room left than the new one would
    word->store(object, std::memory_order_relaxed);
  } else {
    word->store(object | tiny_piece(n, kTinyBlockBytes - n), std::memory_order_relaxed);
    let_tiny_go(thread);
    cursor = {block, n};
  }
  owned_add(&thread.block->tiny_mallocs, uint64_t{1});
  return reinterpret_cast<void*>(block);
}

void release_tiny(Thread& thread, Span* span, void* p) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  const uint32_t at = static_cast<uint32_t>(address % kTinyBlockBytes);
  const uintptr_t block = address - at;
  std::atomic<uint32_t>& word = word_of(span, block);
  const uint32_t now = word.load(std::memory_order_relaxed);
  if (LIBALLOC_UNLIKELY(!tiny_piece_begins(now, at))) report_no_object(now, p);
  TinyCursor& cursor = thread.heap.tiny;
  const bool holds_rest = cursor.block == block;
  if (LIBALLOC_UNLIKELY(holds_rest && at == cursor.at)) report_bad_free(BadFree::kDoubleFree, p);
  const uint32_t bytes = tiny_piece_bytes(now, at);
  uint32_t piece = tiny_piece(at, bytes);
  if (bytes < kTinyBlockBytes) owned_add(&thread.block->tiny_frees, uint64_t{1});
  if (holds_rest && now == (piece | held_piece(cursor))) {  // the last object in it: the rest goes along
    piece = now;
    cursor.block = 0;
  }
  if (take_away(word, piece, address)) release_block(thread, span, block);
}

void let_tiny_go(Thread& thread) {
  TinyCursor& cursor = thread.heap.tiny;
  if (cursor.block == 0) return;
  const uintptr_t block = cursor.block;
  const uint32_t held = held_piece(cursor);
  const uintptr_t at = block + cursor.at;
  cursor.block = 0;
  Span* span = span_of(block);
  if (take_away(word_of(span, block), held, at)) release_block(thread, span, block);
}

size_t tiny_usable_size(const Span* span, const void* p) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  const uint32_t at = static_cast<uint32_t>(address % kTinyBlockBytes);
  const uint32_t word = word_of(span, address).load(std::memory_order_relaxed);
  if (LIBALLOC_UNLIKELY(!tiny_piece_begins(word, at))) report_no_object(word, p);
  return tiny_piece_bytes(word, at);
}

}  // namespace liballoc
