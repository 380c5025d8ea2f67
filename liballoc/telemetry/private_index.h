// private_index.h - the process's own lookup structures beside the segment: a hash index and a
// stack of free records. They live in private memory (sys_alloc) and hold record numbers only. Each
// block of memory starts with its own size and is swapped in by one pointer, so the child of a fork
// can give it back whatever the parent was doing. The segment's telemetry lock guards them;
// of an index of a lane (bucket_table.h) find() needs only what keeps the calls of the lane apart.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/bits.h"

namespace liballoc {

// Open addressing, linear probing; never removes. Maps a 32-bit hash to record numbers, the caller
// compares the keys.
class HashIndex {
 public:
  constexpr HashIndex() = default;
  static constexpr uint32_t kNone = UINT32_MAX;

  // The record for which same(record) holds, or kNone.
  template <typename Same>
  uint32_t find(uint64_t hash, Same same) const {
    if (block_ == nullptr) return kNone;
    const uint32_t tag = tag_of(hash);
    for (uint64_t i = tag;; i++) {
      const uint64_t slot = block_->slots[i & block_->mask];
      if (slot == 0) return kNone;
      const uint32_t record = static_cast<uint32_t>(slot) - 1;
      if (static_cast<uint32_t>(slot >> 32) == tag && same(record)) return record;
    }
  }
  // Room for one more insert; false when the OS refuses memory.
  [[nodiscard]] bool reserve();
  // After reserve(); the key must not be there.
  void insert(uint64_t hash, uint32_t record);
  void release();
  size_t bytes() const { return block_ == nullptr ? 0 : block_->bytes; }

 private:
  struct Block {
    size_t bytes;
    uint64_t mask;
    uint64_t used;
    uint64_t slots[1];  // hash in the upper half, record number + 1 in the lower; 0 = free
  };
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash ^ (hash >> 32)); }
  static void put(Block* block, uint32_t tag, uint32_t record);

  Block* block_ = nullptr;
};

// Numbers of records that are free again, last in first out.
class FreeRecords {
 public:
  constexpr FreeRecords() = default;
  static constexpr uint32_t kNone = UINT32_MAX;

  // Room for `records` numbers in all; a push of a record of a table of that capacity can then not
  // fail.
  [[nodiscard]] bool reserve(uint32_t records);
  void push(uint32_t record) { block_->numbers[block_->used++] = record; }
  uint32_t pop() {
    return block_ == nullptr || block_->used == 0 ? kNone : block_->numbers[--block_->used];
  }
  void release();
  size_t bytes() const { return block_ == nullptr ? 0 : block_->bytes; }

 private:
  struct Block {
    size_t bytes;
    uint32_t capacity;
    uint32_t used;
    uint32_t numbers[1];
  };
  Block* block_ = nullptr;
};

}  // namespace liballoc
