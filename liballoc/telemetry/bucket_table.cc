// bucket_table.cc - see bucket_table.h.
#include "liballoc/telemetry/bucket_table.h"

#include "liballoc/base/atomic.h"

namespace liballoc {

namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

}  // namespace

void BucketTable::close() {
  table_.close();
  index_.release();
}

uint32_t BucketTable::intern(uint32_t stack, uint32_t cache_class, uint64_t allocated, uint64_t period, uint32_t label_set) {
  const uint64_t hash = mix(mix(mix(mix(uint64_t{label_set} << 32, stack), cache_class), allocated), period);
  const uint32_t known = index_.find(hash, [&](uint32_t candidate) {
    const auto* const bucket = table_.record<liballoc_abi_bucket>(candidate);
    return bucket->stack == stack && bucket->cache_class == cache_class &&
           bucket->allocated_bytes == allocated && bucket->period == period && bucket->label_set == label_set;
  });
  if (known != HashIndex::kNone) return known + 1;
  if (!table_.reserve(1) || !index_.reserve()) {
    table_.count_dropped();
    return 0;
  }
  const uint32_t number = table_.take();
  auto* const bucket = table_.record<liballoc_abi_bucket>(number);
  bucket->stack = stack;
  bucket->cache_class = cache_class;
  bucket->allocated_bytes = allocated;
  bucket->period = period;
  bucket->label_set = label_set;
  table_.publish(number);
  index_.insert(hash, number);
  return number + 1;
}

// Relaxed: each word is exact by itself; a reader that looks between two of them is off by this one
// object.
void BucketTable::count_alloc(uint32_t number_plus_1, uint64_t requested) {
  auto* const bucket = table_.record<liballoc_abi_bucket>(number_plus_1 - 1);
  owned_add<uint64_t>(&bucket->allocs, 1);
  owned_add<uint64_t>(&bucket->alloc_requested, requested);
}

void BucketTable::count_free(uint32_t number_plus_1, uint64_t requested) {
  auto* const bucket = table_.record<liballoc_abi_bucket>(number_plus_1 - 1);
  owned_add<uint64_t>(&bucket->frees, 1);
  owned_add<uint64_t>(&bucket->free_requested, requested);
}

BucketTable::InUse BucketTable::in_use(uint32_t number) const {
  const auto* const bucket = table_.record<liballoc_abi_bucket>(number);
  return {bucket->allocs - bucket->frees, bucket->alloc_requested - bucket->free_requested};
}

}  // namespace liballoc
