// persistent_alloc.cc - see persistent_alloc.h.
#include "liballoc/meta/persistent_alloc.h"

#include <atomic>

#include "liballoc/base/bits.h"
#include "liballoc/base/check.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

struct ChunkHeader {
  ChunkHeader* next;  // written before the chunk is published, constant afterwards
};

// The chunk that is being used up. Zero = none yet.
struct PersistentChunk {
  uintptr_t at = 0;
  uintptr_t end = 0;
};

constinit SpinLock g_lock{LockRank::kMeta};  // guards g_global
constinit PersistentChunk g_global;
// Release when a chunk is added, acquire in in_persistent_alloc(): its header is visible.
constinit std::atomic<ChunkHeader*> g_chunks{nullptr};
constinit RelaxedCounter g_unused_bytes;

bool refill(PersistentChunk* chunk) {
  void* p = sys_alloc(kPersistentChunkBytes);
  if (p == nullptr) return false;
  sys_populate(p, system_page_bytes());  // a third of what the header's fault would cost
  auto* header = static_cast<ChunkHeader*>(p);
  header->next = g_chunks.load(std::memory_order_relaxed);
  // Pairs with the acquire in in_persistent_alloc().
  while (!g_chunks.compare_exchange_weak(header->next, header, std::memory_order_release,
                                         std::memory_order_relaxed)) {
  }
  chunk->at = reinterpret_cast<uintptr_t>(p) + sizeof(ChunkHeader);
  chunk->end = reinterpret_cast<uintptr_t>(p) + kPersistentChunkBytes;
  g_unused_bytes.add(kPersistentChunkBytes);
  return true;
}

void* take(PersistentChunk* chunk, size_t bytes, size_t align) {
  uintptr_t at = align_up(chunk->at, align);
  if (chunk->at == 0 || at + bytes > chunk->end) {
    if (!refill(chunk)) return nullptr;
    at = align_up(chunk->at, align);
  }
  g_unused_bytes.sub(at + bytes - chunk->at);
  chunk->at = at + bytes;
  return reinterpret_cast<void*>(at);
}

}  // namespace

void* persistent_alloc(size_t bytes, size_t align, RelaxedCounter& stat) {
  LIBALLOC_DCHECK(bytes != 0);
  if (align == 0) align = kPersistentDefaultAlign;
  LIBALLOC_DCHECK(is_power_of_two(align) && align <= system_page_bytes());
  void* p = nullptr;
  size_t taken = bytes;
  if (bytes >= kPersistentDirectBytes) {
    taken = align_up(bytes, system_page_bytes());
    p = sys_alloc(taken);
  } else {
    LockHolder hold(g_lock);
    p = take(&g_global, bytes, align);
  }
  if (p != nullptr) stat.add(taken);
  return p;
}

bool in_persistent_alloc(const void* p) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  for (ChunkHeader* c = g_chunks.load(std::memory_order_acquire); c != nullptr; c = c->next) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(c);
    if (at >= begin && at - begin < kPersistentChunkBytes) return true;
  }
  return false;
}

uint64_t persistent_unused_bytes() { return g_unused_bytes.load(); }

void persistent_lock_for_fork() { g_lock.lock(); }
void persistent_unlock_after_fork(bool in_child) {
  if (in_child) g_lock.reset_after_fork();
  else g_lock.unlock();
}

}  // namespace liballoc
