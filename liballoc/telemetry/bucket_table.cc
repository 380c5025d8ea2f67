// bucket_table.cc - see bucket_table.h.
#include "liballoc/telemetry/bucket_table.h"

#include "liballoc/base/atomic.h"

namespace liballoc {

namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

uint64_t hash_of(const BucketTable::Key& key) {
  return mix(mix(mix(mix(uint64_t{key.label_set} << 32, key.stack), key.cache_class), key.allocated), key.period);
}

}  // namespace

void BucketTable::close() {
  table_.close();
  for (HashIndex& index : index_) index.release();
}

uint32_t BucketTable::find(const Key& key, uint32_t lane) const {
  const uint32_t number = index_[lane].find(hash_of(key), [&](uint32_t candidate) {
    const auto* const bucket = table_.record<liballoc_abi_bucket>(candidate);
    return bucket->stack == key.stack && bucket->cache_class == key.cache_class && bucket->allocated_bytes == key.allocated &&
           bucket->period == key.period && bucket->label_set == key.label_set;
  });
  return number == HashIndex::kNone ? 0 : number + 1;
}

uint32_t BucketTable::add(const Key& key, uint32_t lane) {
  if (!table_.reserve(1) || !index_[lane].reserve()) {
    table_.count_dropped();
    return 0;
  }
  const uint32_t number = table_.take();
  auto* const bucket = table_.record<liballoc_abi_bucket>(number);
  bucket->stack = key.stack;
  bucket->cache_class = key.cache_class;
  bucket->allocated_bytes = key.allocated;
  bucket->period = key.period;
  bucket->label_set = key.label_set;
  table_.publish(number);
  index_[lane].insert(hash_of(key), number);
  return number + 1;
}

size_t BucketTable::private_bytes() const {
  size_t bytes = 0;
  for (const HashIndex& index : index_) bytes += index.bytes();
  return bytes;
}

// Each word is exact by itself; a reader that looks between two of them is off by this one object.
void BucketTable::count_alloc(uint32_t number_plus_1, uint64_t requested) {
  auto* const bucket = table_.record<liballoc_abi_bucket>(number_plus_1 - 1);
  owned_add<uint64_t>(&bucket->allocs, 1);
  owned_add<uint64_t>(&bucket->alloc_requested, requested);
}

void BucketTable::count_free(uint32_t number_plus_1, uint64_t requested) {
  auto* const bucket = table_.record<liballoc_abi_bucket>(number_plus_1 - 1);
  // Release: pairs with in_use(), which sees the allocation of whatever it sees freed.
  store_release(&bucket->frees, load_relaxed(&bucket->frees) + 1);
  store_release(&bucket->free_requested, load_relaxed(&bucket->free_requested) + requested);
}

BucketTable::InUse BucketTable::in_use(uint32_t number) const {
  const auto* const bucket = table_.record<liballoc_abi_bucket>(number);
  // Acquire: pairs with the releases in count_free().
  const uint64_t frees = load_acquire(&bucket->frees), free_requested = load_acquire(&bucket->free_requested);
  return {load_relaxed(&bucket->allocs) - frees, load_relaxed(&bucket->alloc_requested) - free_requested};
}

}  // namespace liballoc
