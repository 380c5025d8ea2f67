// bump_memory.cc - see bump_memory.h.
#include "liballoc/core/bump_memory.h"

#include "liballoc/base/bits.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {
constexpr size_t kLeastAlign = 16;
static_assert(sizeof(BumpMemory::Header) == kLeastAlign);

uint32_t check_of(uintptr_t block) { return static_cast<uint32_t>(block >> 4) * 0x9e3779b1u; }
}  // namespace

void* BumpMemory::bump(Chunk* chunk, size_t bytes, size_t align, uint32_t tag) {
  uintptr_t old = chunk->at.load(std::memory_order_relaxed);
  while (true) {
    const uintptr_t block = align_up(old + sizeof(Header), align);
    if (block + bytes > chunk->end || block + bytes < block) return nullptr;
    if (chunk->at.compare_exchange_weak(old, block + bytes, std::memory_order_relaxed)) {
      auto* header = reinterpret_cast<Header*>(block - sizeof(Header));
      header->bytes = bytes;
      header->check = check_of(block);
      header->tag.store(tag, std::memory_order_relaxed);
      return reinterpret_cast<void*>(block);
    }
  }
}

BumpMemory::Chunk* BumpMemory::map_chunk(size_t bytes) {
  void* memory = sys_alloc_anywhere(bytes);
  if (memory == nullptr) return nullptr;
  sys_bytes_.add(bytes);
  auto* chunk = static_cast<Chunk*>(memory);
  chunk->end = reinterpret_cast<uintptr_t>(memory) + bytes;
  chunk->at.store(reinterpret_cast<uintptr_t>(memory) + sizeof(Chunk), std::memory_order_relaxed);
  return chunk;
}

void* BumpMemory::allocate(size_t bytes, size_t align, uint32_t tag) {
  if (align < kLeastAlign) align = kLeastAlign;
  if (bytes > (SIZE_MAX >> 2) || align > (SIZE_MAX >> 2)) return nullptr;
  const Chunk* newest = chunks_.load(std::memory_order_acquire);
  size_t want = first_;
  if (newest != nullptr) {
    if (void* p = bump(const_cast<Chunk*>(newest), bytes, align, tag)) return p;
    want = 2 * (newest->end - reinterpret_cast<uintptr_t>(newest));
    if (want > largest_) want = largest_;
  }
  const size_t least = align_up(sizeof(Chunk) + sizeof(Header) + align + bytes, system_page_bytes());
  Chunk* chunk = map_chunk(want > least ? want : least);
  if (chunk == nullptr && want > least) chunk = map_chunk(least);  // there may be so much
  if (chunk == nullptr) return nullptr;
  void* p = bump(chunk, bytes, align, tag);
  chunk->next = chunks_.load(std::memory_order_relaxed);
  while (!chunks_.compare_exchange_weak(chunk->next, chunk, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return p;
}

bool BumpMemory::contains(const void* p) const {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  for (const Chunk* c = chunks_.load(std::memory_order_acquire); c != nullptr; c = c->next) {
    if (at > reinterpret_cast<uintptr_t>(c) && at < c->end) return true;
  }
  return false;
}

BumpMemory::Header* BumpMemory::header_of(const void* p) const {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  if (at % kLeastAlign != 0) return nullptr;
  auto* header = reinterpret_cast<Header*>(at - sizeof(Header));
  // The first bytes of a chunk are its own fields, and no address.
  return header->check == check_of(at) ? header : nullptr;
}

}  // namespace liballoc
