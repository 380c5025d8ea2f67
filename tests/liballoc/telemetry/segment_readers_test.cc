// segment_readers_test.cc - readers that look while the process writes: what they accept is whole,
// and in order.
#include <atomic>
#include <thread>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

class SegmentReadersTest : public SegmentTest {
 protected:
  void SetUp() override { ASSERT_EQ(create(), SegmentStatus::kOk); }
  uint64_t offset_of(uint32_t kind) const { return view().extents(kind).at(0).offset; }
};

// Two fetches as the agent makes them: whole when both agree and the sequence is even.
template <typename T>
bool read_whole(const FileView& file, uint64_t offset, T* out) {
  const T first = file.at<T>(offset);
  const T second = file.at<T>(offset);
  *out = first;
  return first.sequence % 2 == 0 && memcmp(&first, &second, sizeof(T)) == 0;
}

TEST_F(SegmentReadersTest, AcceptedSpanIsNeverTorn) {
  const uint32_t record = segment_->add_span();
  segment_->write_span(record, {});
  const FileView file = view();
  const uint64_t offset = offset_of(LIBALLOC_SECTION_SPANS);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; !stop.load(); i++) {
      liballoc_abi_span span{};
      span.base = i;
      span.pages = static_cast<uint32_t>(i);
      span.changed_ns = i;
      span.unused_ns = i;
      segment_->write_span(record, span);
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  int accepted = 0;
  uint64_t last = 0;
  while (accepted < 2000 || last < 1000) {
    liballoc_abi_span span{};
    if (!read_whole(file, offset, &span)) continue;
    accepted++;
    ASSERT_EQ(span.pages, static_cast<uint32_t>(span.base));
    ASSERT_EQ(span.changed_ns, span.base);
    ASSERT_EQ(span.unused_ns, span.base);
    ASSERT_GE(span.base, last);
    last = span.base;
  }
  stop = true;
  writer.join();
}

TEST_F(SegmentReadersTest, AcceptedMemstatsAreNeverTorn) {
  const FileView file = view();
  const uint64_t offset = offset_of(LIBALLOC_SECTION_MEMSTATS);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; !stop.load(); i++) {
      liballoc_abi_memstats values{};
      values.heap_sys = i;
      values.heap_inuse = i;
      values.arenas = i;
      segment_->publish_memstats(values);
      if (i % 16 == 0) std::this_thread::yield();
    }
  });
  uint64_t last = 0;
  for (int accepted = 0; accepted < 1000 || last < 1000;) {
    liballoc_abi_memstats values{};
    if (!read_whole(file, offset, &values)) continue;
    accepted++;
    ASSERT_EQ(values.heap_inuse, values.heap_sys);
    ASSERT_EQ(values.arenas, values.heap_sys);
    last = values.heap_sys;
  }
  stop = true;
  writer.join();
}

TEST_F(SegmentReadersTest, RingRecordOfTheExpectedSequenceIsWhole) {
  const FileView file = view();
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (uint32_t tid = 1; tid <= 2; tid++) {
    writers.emplace_back([&, tid] {
      for (uint64_t i = 1; !stop.load(); i++)
        segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, tid, i, i, i, i, i, i);
    });
  }
  int accepted = 0;
  uint64_t last_of[3] = {};
  for (uint64_t position = 0; accepted < 2000;) {
    const uint64_t end = file.ring().count;
    const auto ring = file.ring();  // its round is fetched after the count
    ASSERT_GE(end, position);
    const uint64_t records = FileView::ring_records(ring);
    if (end - position > records / 2) position = end - records / 2;
    for (; position < end; position++) {
      const uint64_t at = FileView::ring_offset(ring, position);
      const auto record = file.at<liballoc_abi_record>(at);
      const auto again = file.at<liballoc_abi_record>(at);
      if (record.sequence != position + 1 || memcmp(&record, &again, sizeof(record)) != 0) continue;
      accepted++;
      ASSERT_EQ(record.a, record.time_ns);
      ASSERT_EQ(record.e, record.time_ns);
      ASSERT_GE(record.tid, 1u);
      ASSERT_LE(record.tid, 2u);
      ASSERT_GT(record.time_ns, last_of[record.tid]);  // the order of each thread is kept
      last_of[record.tid] = record.time_ns;
    }
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

TEST_F(SegmentReadersTest, StackIsWholeOnceItsCountCoversIt) {
  std::atomic<bool> done{false};
  constexpr uintptr_t kStacks = 4000;
  std::thread writer([&] {
    for (uintptr_t i = 1; i <= kStacks; i++) {
      const std::vector<uintptr_t> pcs(1 + i % 30, i);
      segment_->intern_stack(pcs.data(), static_cast<uint32_t>(pcs.size()), false, i, 1);
    }
    done = true;
  });
  const FileView file = view();
  size_t most = 0;
  for (bool last = false; !last;) {
    last = done.load();
    // As the agent: stacks first, then frames, so that every frame of a stack is there.
    const auto stacks = file.records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS);
    const auto frames = file.records<liballoc_abi_frame>(LIBALLOC_SECTION_FRAMES);
    ASSERT_GE(stacks.size(), most);
    most = stacks.size();
    for (size_t i = 0; i < stacks.size(); i++) {
      ASSERT_EQ(stacks[i].depth, 1 + (i + 1) % 30);
      ASSERT_LE(stacks[i].first_frame + stacks[i].depth, frames.size());
      for (uint32_t k = 0; k < stacks[i].depth; k++)
        ASSERT_EQ(frames[stacks[i].first_frame + k].pc, i + 1);
    }
  }
  writer.join();
  EXPECT_EQ(most, kStacks);
}

TEST_F(SegmentReadersTest, LabelsAreThereForWhoFetchesThemAfterTheBucket) {
  std::atomic<bool> done{false};
  constexpr uint32_t kSets = 3000;
  std::thread writer([&] {
    for (uint32_t i = 0; i < kSets; i++) {
      const std::string value = std::to_string(i);
      liballoc_abi_label labels[2] = {{0, 1, static_cast<uint32_t>(value.size()), "a", ""}, {0, 1, 1, "b", "w"}};
      value.copy(labels[0].value, sizeof(labels[0].value));
      liballoc_abi_sample sample{};
      sample.address = 4096 + i;
      sample.allocated_bytes = i + 1;
      sample.label_set = segment_->intern_labels(labels, 2);
      segment_->add_sample(&sample, 5);
    }
    done = true;
  });
  const FileView file = view();
  size_t most = 0;
  for (bool last = false; !last;) {
    last = done.load();
    const auto buckets = file.records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS);
    const auto sets = file.records<liballoc_abi_label_set>(LIBALLOC_SECTION_LABEL_SETS);
    const auto labels = file.records<liballoc_abi_label>(LIBALLOC_SECTION_LABELS);
    most = buckets.size();
    for (const liballoc_abi_bucket& bucket : buckets) {
      ASSERT_TRUE(bucket.label_set != 0 && bucket.label_set <= sets.size());
      const liballoc_abi_label_set& set = sets[bucket.label_set - 1];
      ASSERT_EQ(set.labels, 2u);
      ASSERT_TRUE(set.label[0] != 0 && set.label[0] <= labels.size());
      ASSERT_EQ(labels[set.label[0] - 1].value, std::to_string(bucket.allocated_bytes - 1));
      ASSERT_STREQ(labels[set.label[1] - 1].value, "w");
    }
  }
  writer.join();
  EXPECT_EQ(most, kSets);
}

TEST_F(SegmentReadersTest, ThreadsThatStoreAtOnceLoseNothing) {
  constexpr uint32_t kThreads = 4, kEach = 3000;
  static_assert(kThreads <= kLanes);
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      liballoc_abi_thread* const block = enter_new_block(t + 1, 1);
      ASSERT_NE(block, nullptr);
      std::vector<uint32_t> live;
      for (uint32_t i = 0; i < kEach; i++) {
        const uintptr_t pcs[] = {i % 500 + 1, 7};  // the same stacks in every thread
        const uint32_t stack = segment_->intern_stack(pcs, 2, false, pcs[0], 1);
        liballoc_abi_sample sample{};
        sample.address = uintptr_t{t} << 32 | (i + 1);
        sample.requested_bytes = 10;
        sample.stack = stack;
        live.push_back(segment_->add_sample(&sample, 5, false, t));
        ASSERT_NE(live.back(), 0u);
        const uint32_t span = segment_->add_span();
        ASSERT_NE(span, 0u);
        segment_->write_span(
            span, {0, sample.address, 1, LIBALLOC_SPAN_FREE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        if (i % 2 == 0) segment_->remove_span(span);
      }
      for (size_t i = 0; i < live.size(); i += 2) {
        liballoc_abi_sample was{};
        ASSERT_TRUE(segment_->remove_sample(live[i], t + 1, 1, &was, t));
        ASSERT_EQ(was.address, uintptr_t{t} << 32 | (i + 1));
      }
      segment_->leave_thread_block(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const FileView file = view();
  EXPECT_EQ(file.records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).size(), 500u);
  const auto buckets = file.records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS);
  EXPECT_EQ(buckets.size(), 500u * kThreads) << "each lane has its own";
  uint64_t allocs = 0, frees = 0, requested = 0;
  for (const auto& bucket : buckets) {
    allocs += bucket.allocs;
    frees += bucket.frees;
    requested += bucket.alloc_requested;
  }
  EXPECT_EQ(allocs, uint64_t{kThreads} * kEach);
  EXPECT_EQ(frees, uint64_t{kThreads} * kEach / 2);
  EXPECT_EQ(requested, uint64_t{kThreads} * kEach * 10);
  size_t live = 0, spans = 0;
  for (const auto& s : file.records<liballoc_abi_sample>(LIBALLOC_SECTION_SAMPLES))
    live += s.address != 0;
  for (const auto& s : file.records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS))
    spans += s.state != LIBALLOC_SPAN_DEAD;
  EXPECT_EQ(live, size_t{kThreads} * kEach / 2);
  EXPECT_EQ(spans, size_t{kThreads} * kEach / 2);
}

}  // namespace
}  // namespace liballoc
