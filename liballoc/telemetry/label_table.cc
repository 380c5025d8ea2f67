// label_table.cc - see label_table.h.
#include "liballoc/telemetry/label_table.h"

#include <cstring>

#include "liballoc/base/check.h"

namespace liballoc {

namespace {

// FNV-1a, 64 bits, by words; then a mix, since the index takes both halves. Texts are short, and only samples come here.
uint64_t hash_words(const void* from, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, static_cast<const char*>(from) + i, sizeof(word));
    hash = (hash ^ word) * 0x100000001b3;
    hash ^= hash >> 32;
  }
  return hash;
}

// Everything of a label but its hash.
constexpr size_t kTextOffset = offsetof(liballoc_abi_label, key_bytes);
constexpr size_t kTextBytes = sizeof(liballoc_abi_label) - kTextOffset;
static_assert(kTextBytes % sizeof(uint64_t) == 0);
bool same_text(const liballoc_abi_label& a, const liballoc_abi_label& b) {
  return memcmp(&a.key_bytes, &b.key_bytes, kTextBytes) == 0;
}

}  // namespace

void LabelTable::open(SegmentSpace* space) {
  labels_.open_empty(space);
  sets_.open_empty(space);
}

void LabelTable::close() {
  labels_.close();
  sets_.close();
  label_index_.release();
  set_index_.release();
}

uint32_t LabelTable::intern_label(const liballoc_abi_label& label) {
  const uint64_t hash = hash_words(&label.key_bytes, kTextBytes);
  const uint32_t known = label_index_.find(
      hash, [&](uint32_t candidate) { return same_text(*labels_.record<liballoc_abi_label>(candidate), label); });
  if (known != HashIndex::kNone) return known + 1;
  if (labels_.used() == kMaxLabels || !labels_.reserve(1) || !label_index_.reserve()) {
    labels_.count_dropped();
    return 0;
  }
  const uint32_t number = labels_.take();
  auto* const stored = labels_.record<liballoc_abi_label>(number);
  *stored = label;
  stored->hash = hash;
  labels_.publish(number);
  label_index_.insert(hash, number);
  return number + 1;
}

uint32_t LabelTable::intern(const liballoc_abi_label* labels, uint32_t count) {
  LIBALLOC_DCHECK(count >= 1 && count <= LIBALLOC_ABI_LABELS_PER_SET);
  liballoc_abi_label_set set = {};
  set.labels = count;
  for (uint32_t i = 0; i < count; i++) {
    LIBALLOC_DCHECK(i == 0 || memcmp(labels[i - 1].key, labels[i].key, sizeof(labels[i].key)) < 0);
    set.label[i] = intern_label(labels[i]);
    if (set.label[i] == 0) {  // a set with a part missing would be another set
      sets_.count_dropped();
      return 0;
    }
  }
  set.hash = hash_words(&set.labels, sizeof(set) - offsetof(liballoc_abi_label_set, labels));
  const uint32_t known = set_index_.find(set.hash, [&](uint32_t candidate) {
    const auto* const stored = sets_.record<liballoc_abi_label_set>(candidate);
    return stored->labels == count && memcmp(stored->label, set.label, sizeof(set.label)) == 0;
  });
  if (known != HashIndex::kNone) return known + 1;
  if (sets_.used() == kMaxSets || !sets_.reserve(1) || !set_index_.reserve()) {
    sets_.count_dropped();
    return 0;
  }
  const uint32_t number = sets_.take();
  *sets_.record<liballoc_abi_label_set>(number) = set;
  sets_.publish(number);
  set_index_.insert(set.hash, number);
  return number + 1;
}

}  // namespace liballoc
