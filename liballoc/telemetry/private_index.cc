// private_index.cc - see private_index.h. A bigger block is complete before the pointer leads to
// it; the old one is given back afterwards.
#include "liballoc/telemetry/private_index.h"

#include <cstring>

#include "liballoc/os/sys_mem.h"

namespace liballoc {

void HashIndex::put(Block* block, uint32_t tag, uint32_t record) {
  uint64_t i = tag;
  while (block->slots[i & block->mask] != 0) i++;
  block->slots[i & block->mask] = uint64_t{tag} << 32 | (uint64_t{record} + 1);
  block->used++;
}

bool HashIndex::reserve() {
  constexpr uint64_t kFirstSlots = 1024;
  // Three quarters full at most: probes stay short.
  if (block_ != nullptr && (block_->used + 1) * 4 <= (block_->mask + 1) * 3) return true;
  const uint64_t slots = block_ == nullptr ? kFirstSlots : (block_->mask + 1) * 2;
  const size_t bytes =
      align_up(offsetof(Block, slots) + slots * sizeof(uint64_t), system_page_bytes());
  auto* const bigger = static_cast<Block*>(sys_alloc(bytes));
  if (bigger == nullptr)
    return block_ != nullptr && block_->used < block_->mask;  // one slot stays free: find() ends
  bigger->bytes = bytes;
  bigger->mask = slots - 1;
  Block* const old = block_;
  if (old != nullptr) {
    for (uint64_t i = 0; i <= old->mask; i++) {
      if (const uint64_t slot = old->slots[i]; slot != 0) {
        put(bigger, static_cast<uint32_t>(slot >> 32), static_cast<uint32_t>(slot) - 1);
      }
    }
  }
  block_ = bigger;
  if (old != nullptr) sys_free(old, old->bytes, MemState::kReady);
  return true;
}

void HashIndex::insert(uint64_t hash, uint32_t record) { put(block_, tag_of(hash), record); }

void HashIndex::release() {
  if (Block* const old = block_; old != nullptr) {
    block_ = nullptr;
    sys_free(old, old->bytes, MemState::kReady);
  }
}

bool FreeRecords::reserve(uint32_t records) {
  if (block_ != nullptr && block_->capacity >= records) return true;
  const size_t bytes =
      align_up(offsetof(Block, numbers) + size_t{records} * sizeof(uint32_t), system_page_bytes());
  auto* const bigger = static_cast<Block*>(sys_alloc(bytes));
  if (bigger == nullptr) return false;
  bigger->bytes = bytes;
  bigger->capacity = static_cast<uint32_t>((bytes - offsetof(Block, numbers)) / sizeof(uint32_t));
  Block* const old = block_;
  if (old != nullptr) {
    memcpy(bigger->numbers, old->numbers, size_t{old->used} * sizeof(uint32_t));
    bigger->used = old->used;
  }
  block_ = bigger;
  if (old != nullptr) sys_free(old, old->bytes, MemState::kReady);
  return true;
}

void FreeRecords::release() {
  if (Block* const old = block_; old != nullptr) {
    block_ = nullptr;
    sys_free(old, old->bytes, MemState::kReady);
  }
}

}  // namespace liballoc
