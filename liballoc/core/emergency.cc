// emergency.cc - see emergency.h. Chunks are linked and never given back; each request bumps the newest with a CAS.
#include "liballoc/core/emergency.h"

#include <atomic>
#include <cstdint>

#include "liballoc/base/bits.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

constexpr size_t kChunkBytes = 64 * 1024;
constexpr size_t kHeaderBytes = 16;  // before each block: its size

struct Chunk {
  Chunk* next;
  uintptr_t end;
  std::atomic<uintptr_t> at;  // only grows; blocks are disjoint because each bump is one CAS
};

// Release when a chunk is pushed, acquire by readers: the chunk's fields are set.
constinit std::atomic<Chunk*> g_chunks{nullptr};

void* bump(Chunk* chunk, size_t bytes, size_t align) {
  uintptr_t old = chunk->at.load(std::memory_order_relaxed);
  while (true) {
    const uintptr_t block = align_up(old + kHeaderBytes, align);
    if (block + bytes > chunk->end || block + bytes < block) return nullptr;
    if (chunk->at.compare_exchange_weak(old, block + bytes, std::memory_order_relaxed)) {
      *reinterpret_cast<size_t*>(block - kHeaderBytes) = bytes;
      return reinterpret_cast<void*>(block);
    }
  }
}

}  // namespace

void* emergency_alloc(size_t bytes, size_t align) {
  if (align < 16) align = 16;
  if (bytes > (SIZE_MAX >> 2) || align > (SIZE_MAX >> 2)) return nullptr;
  if (Chunk* newest = g_chunks.load(std::memory_order_acquire)) {
    if (void* p = bump(newest, bytes, align)) return p;
  }
  size_t chunk_bytes = align_up(sizeof(Chunk) + kHeaderBytes + align + bytes, system_page_bytes());
  if (chunk_bytes < kChunkBytes) chunk_bytes = kChunkBytes;
  // Past the counted sys_alloc(): its debug book has a lock, and this may run anywhere.
  void* memory = nullptr;
  if (os_ops().alloc(chunk_bytes, &memory) != 0) return nullptr;
  auto* chunk = static_cast<Chunk*>(memory);
  chunk->end = reinterpret_cast<uintptr_t>(memory) + chunk_bytes;
  chunk->at.store(reinterpret_cast<uintptr_t>(memory) + sizeof(Chunk), std::memory_order_relaxed);
  void* p = bump(chunk, bytes, align);
  chunk->next = g_chunks.load(std::memory_order_relaxed);
  while (!g_chunks.compare_exchange_weak(chunk->next, chunk, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return p;
}

bool in_emergency(const void* p) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  for (Chunk* c = g_chunks.load(std::memory_order_acquire); c != nullptr; c = c->next) {
    if (at > reinterpret_cast<uintptr_t>(c) && at < c->end) return true;
  }
  return false;
}

size_t emergency_usable(const void* p) {
  return *reinterpret_cast<const size_t*>(reinterpret_cast<uintptr_t>(p) - kHeaderBytes);
}

}  // namespace liballoc
