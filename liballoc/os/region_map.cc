// region_map.cc - see region_map.h. Intervals are disjoint, sorted, and joined with equal neighbours.
#include "liballoc/os/region_map.h"

#include <cstring>

#include "liballoc/base/check.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/os/os.h"

namespace liballoc {

size_t RegionMap::first_ending_after(uintptr_t at) const {
  size_t low = 0, high = size_;
  while (low < high) {
    const size_t mid = low + (high - low) / 2;
    if (table_[mid].end <= at) low = mid + 1;
    else high = mid;
  }
  return low;
}

bool RegionMap::insert_at(size_t index, Interval interval) {
  if (size_ == capacity_) return false;
  memmove(table_ + index + 1, table_ + index, (size_ - index) * sizeof(Interval));
  table_[index] = interval;
  size_++;
  return true;
}

void RegionMap::erase(size_t first, size_t last) {
  memmove(table_ + first, table_ + last, (size_ - last) * sizeof(Interval));
  size_ -= last - first;
}

MemState RegionMap::state_at(uintptr_t at) const {
  const size_t i = first_ending_after(at);
  return i < size_ && table_[i].begin <= at ? table_[i].state : MemState::kNone;
}

RegionMap::Result RegionMap::transition(uintptr_t at, size_t bytes, MemState from, MemState to) {
  const uintptr_t end = at + bytes;
  size_t first = first_ending_after(at);
  // The whole range must be in `from`.
  if (from == MemState::kNone) {
    if (first < size_ && table_[first].begin < end) return Result::kWrongState;
  } else {
    uintptr_t covered = at;
    for (size_t i = first; covered < end; i++) {
      if (i == size_ || table_[i].begin > covered || table_[i].state != from) return Result::kWrongState;
      covered = table_[i].end;
    }
  }
  if (size_ + 2 > capacity_) return Result::kTableFull;
  // Cut the range out, keeping the ends that stick out.
  if (from != MemState::kNone) {
    if (table_[first].begin < at) {
      const Interval tail = {at, table_[first].end, from};
      table_[first].end = at;
      first++;
      insert_at(first, tail);
    }
    size_t last = first;
    while (last < size_ && table_[last].end <= end) last++;
    if (last < size_ && table_[last].begin < end) table_[last].begin = end;
    erase(first, last);
  }
  if (to == MemState::kNone) return Result::kOk;
  const bool joins_left = first > 0 && table_[first - 1].end == at && table_[first - 1].state == to;
  const bool joins_right = first < size_ && table_[first].begin == end && table_[first].state == to;
  if (joins_left && joins_right) {
    table_[first - 1].end = table_[first].end;
    erase(first, first + 1);
  } else if (joins_left) {
    table_[first - 1].end = end;
  } else if (joins_right) {
    table_[first].begin = at;
  } else {
    insert_at(first, {at, end, to});
  }
  return Result::kOk;
}

void region_map_transition(uintptr_t at, size_t bytes, MemState from, MemState to) {
  constexpr size_t kCapacity = 65536;
  static constinit SpinLock lock{LockRank::kRegionMap};  // guards map and watching
  static constinit RegionMap::Interval* table = nullptr;
  static constinit bool watching = true;
  alignas(RegionMap) static constinit unsigned char storage[sizeof(RegionMap)] = {};
  LockHolder hold(lock);
  if (!watching) return;
  RegionMap& map = *reinterpret_cast<RegionMap*>(storage);
  if (table == nullptr) {
    void* p = nullptr;
    if (kLinuxOs.alloc(kCapacity * sizeof(RegionMap::Interval), &p) != 0) {
      watching = false;
      return;
    }
    table = static_cast<RegionMap::Interval*>(p);
    map = RegionMap(table, kCapacity);
  }
  switch (map.transition(at, bytes, from, to)) {
    case RegionMap::Result::kOk:
      return;
    case RegionMap::Result::kTableFull: {
      watching = false;
      LineBuffer message;
      message.text("liballoc: debug: more than ").dec(kCapacity).text(" memory regions; state checks stop here");
      message.write_to_stderr();
      return;
    }
    case RegionMap::Result::kWrongState: {
      LineBuffer message;
      message.text("liballoc: illegal memory state transition of ").hex(at).text("+").hex(bytes);
      message.text(" from ").dec(static_cast<uint64_t>(from)).text(" to ").dec(static_cast<uint64_t>(to));
      message.text(", is in ").dec(static_cast<uint64_t>(map.state_at(at)));
      fatal(message);
    }
  }
}

}  // namespace liballoc
