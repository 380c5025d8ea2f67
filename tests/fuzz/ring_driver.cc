// ring_driver.cc - the ring reader against a writer that keeps to the protocol or does not. Of an
// honest ring each event is delivered once, in order, as it was written, or counted as missed.
#include <algorithm>
#include <cstddef>
#include <vector>

#include "agent/reader/ring_reader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/reader_drivers.h"

namespace liballoc::agent {
namespace {

class RingModel final : public ByteSource {
 public:
  explicit RingModel(FuzzInput& input)
      : input_(input),
        honest_(input.below(2) == 0),
        capacity_(static_cast<uint32_t>(1 + input.below(48))),
        stride_(static_cast<uint32_t>(64 + 8 * input.below(4))),
        most_events_(1 + input.below(64)),
        reader_(most_events_),
        records_(static_cast<uint32_t>(1 + input.below(capacity_))),
        bytes_(kEntryBytes + size_t{capacity_} * stride_) {
    store_round();
  }

  ReadResult<uint64_t> size() const override { return bytes_.size(); }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    // The writer goes on while the reader reads.
    if (writing_while_read_ > 0) {
      --writing_while_read_;
      const_cast<RingModel*>(this)->write();
    }
    return MemorySource(bytes_).read_at(offset, out);
  }

  // As the library: the slot is void while it is written, then complete, then the count covers it.
  void write() {
    const uint64_t sequence = head_++;
    liballoc_abi_record record{};
    record.time_ns = sequence;
    record.kind = LIBALLOC_EVENT_SAMPLE;
    record.a = sequence * 3;
    record.e = ~sequence;
    record.sequence = sequence + 1;
    std::memcpy(slot(sequence), &record, sizeof(record));
    // At the end of a round the ring may grow.
    if ((head_ - start_) % records_ == 0 && records_ < capacity_ && input_.below(4) == 0) {
      start_ = head_ - records_;
      records_ += static_cast<uint32_t>(1 + input_.below(capacity_ - records_));
      store_round();
    }
  }
  void begin_write() {
    // Caught in the middle: the slot of the next event is void.
    const uint64_t none = 0;
    std::memcpy(slot(head_), &none, sizeof(none));
  }
  void damage() {
    const size_t at = input_.below(bytes_.size());
    const std::span<const uint8_t> news = input_.take(1 + input_.below(16));
    std::copy_n(news.begin(), std::min(news.size(), bytes_.size() - at),
                bytes_.begin() + static_cast<ptrdiff_t>(at));
  }
  void drain() {
    Layout layout;
    layout.header.created_realtime_ns = 1;
    layout.sections[LIBALLOC_SECTION_RING].extents = {
        {kEntryBytes, stride_, capacity_, head_, 0, 0}};
    std::vector<Event> events;
    const uint64_t before = reader_.position();
    const auto at_head = reader_.drain(*this, layout, events);
    if (!honest_ && !at_head) return;  // a round that cannot be
    LIBALLOC_FUZZ_CHECK(at_head.ok());
    LIBALLOC_FUZZ_CHECK(events.size() <= most_events_);
    delivered_ += events.size();
    LIBALLOC_FUZZ_CHECK(delivered_ + reader_.missed() == reader_.position());
    LIBALLOC_FUZZ_CHECK(reader_.position() >= before);
    uint64_t next = before;
    for (const Event& event : events) {
      LIBALLOC_FUZZ_CHECK(event.sequence >= next && event.sequence < reader_.position());
      next = event.sequence + 1;
      if (!honest_) continue;
      LIBALLOC_FUZZ_CHECK(event.a == event.sequence * 3 && event.e == ~event.sequence);
    }
    if (!honest_) return;
    LIBALLOC_FUZZ_CHECK(reader_.corrupt() == 0);
    LIBALLOC_FUZZ_CHECK(!*at_head || reader_.position() <= head_);
  }

  void step() {
    switch (input_.below(8)) {
      case 0:
      case 1:
        for (size_t n = 1 + input_.below(64); n > 0; --n) write();
        break;
      case 2:
        begin_write();
        break;
      case 3:
      case 4:
      case 5:
        writing_while_read_ = input_.below(4);
        drain();
        writing_while_read_ = 0;
        break;
      case 6:
        if (!honest_) damage();
        break;
      case 7:
        if (!honest_) head_ = input_.value<uint64_t>();
        break;
    }
  }

 private:
  // The directory entry, then the ring.
  static constexpr size_t kEntryBytes = sizeof(liballoc_abi_section);

  uint8_t* slot(uint64_t sequence) {
    return bytes_.data() + kEntryBytes + (sequence - start_) % records_ * stride_;
  }
  void store_round() {
    const uint64_t word = start_ << 16 | records_;
    std::memcpy(bytes_.data() + offsetof(liballoc_abi_section, ring_round), &word, sizeof(word));
  }

  FuzzInput& input_;
  const bool honest_;
  const uint32_t capacity_;
  const uint32_t stride_;
  const size_t most_events_;
  RingReader reader_;
  uint32_t records_;  // of a round
  uint64_t start_ = 0;
  std::vector<uint8_t> bytes_;
  uint64_t head_ = 0;
  uint64_t delivered_ = 0;
  mutable size_t writing_while_read_ = 0;
};

}  // namespace

void drive_reader_ring(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  RingModel model(input);
  while (!input.empty()) model.step();
}

}  // namespace liballoc::agent
