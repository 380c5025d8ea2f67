// segment_tables_test.cc - thread blocks, spans, memstats and faults, as a reader of the file finds
// them, and how large it becomes.
#include <sys/mman.h>
#include <sys/wait.h>

#include <cerrno>

#include "tests/liballoc/refused_call.h"
#include "liballoc/os/sys_mem.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

class SegmentTablesTest : public SegmentTest {
 protected:
  void SetUp() override { ASSERT_EQ(create(), SegmentStatus::kOk); }
};

// ---- thread blocks ------------------------------------------------------------------------------

TEST_F(SegmentTablesTest, ThreadBlockShowsItsThread) {
  liballoc_abi_thread* const block = enter_new_block(1234, 5678);
  ASSERT_NE(block, nullptr);
  const auto blocks = view().records<liballoc_abi_thread>(LIBALLOC_SECTION_THREADS);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].tid, 1234u);
  EXPECT_EQ(blocks[0].started_ns, 5678u);
  EXPECT_EQ(blocks[0].threads, 1u);
}

TEST_F(SegmentTablesTest, ThreadBlockIsReusedAndGoesOnCounting) {
  liballoc_abi_thread* const first = enter_new_block(1, 10);
  first->classes[7].granted = 100;
  first->classes[7].frees = 40;
  first->large_malloc_bytes = 1 << 20;
  first->cached_bytes = 4096;
  segment_->leave_thread_block(first);
  EXPECT_EQ(view().records<liballoc_abi_thread>(LIBALLOC_SECTION_THREADS).at(0).tid, 0u);
  EXPECT_EQ(view().records<liballoc_abi_thread>(LIBALLOC_SECTION_THREADS).at(0).cached_bytes, 0u);
  segment_->enter_thread_block(first, 2, 20);
  const auto blocks = view().records<liballoc_abi_thread>(LIBALLOC_SECTION_THREADS);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].tid, 2u);
  EXPECT_EQ(blocks[0].threads, 2u);
  EXPECT_EQ(blocks[0].classes[7].granted, 100u);
  EXPECT_EQ(blocks[0].classes[7].frees, 40u);
  EXPECT_EQ(blocks[0].large_malloc_bytes, uint64_t{1} << 20);
}

TEST_F(SegmentTablesTest, ThreadBlocksGrowOverExtentsAndKeepTheirPlaces) {
  std::vector<liballoc_abi_thread*> blocks;
  for (uint32_t tid = 1; tid <= 100; tid++) {
    blocks.push_back(enter_new_block(tid, tid));
    ASSERT_NE(blocks.back(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % 64, 0u);
    blocks.back()->classes[LIBALLOC_ABI_CACHE_CLASSES - 1].refills = tid;
  }
  const FileView file = view();
  const auto extents = file.extents(LIBALLOC_SECTION_THREADS);
  ASSERT_EQ(extents.size(), 6u);  // 2 + 4 + 8 + 16 + 32 + 64
  for (uint32_t k = 0; k < extents.size(); k++) {
    EXPECT_EQ(extents[k].extent, k);
    EXPECT_EQ(extents[k].capacity, Segment::kInitialThreads << k);
  }
  const auto seen = file.records<liballoc_abi_thread>(LIBALLOC_SECTION_THREADS);
  ASSERT_EQ(seen.size(), 100u);
  for (uint32_t i = 0; i < 100; i++) {
    EXPECT_EQ(seen[i].tid, i + 1);
    EXPECT_EQ(seen[i].classes[LIBALLOC_ABI_CACHE_CLASSES - 1].refills, i + 1);
  }
  for (liballoc_abi_thread* block : blocks) segment_->leave_thread_block(block);
}

TEST_F(SegmentTablesTest, AViewOfABlockShowsItsBytesAndIsNotInherited) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<liballoc_abi_thread*> blocks;
  for (uint32_t tid = 1; tid <= 5; tid++) blocks.push_back(enter_new_block(tid, 1));
  for (liballoc_abi_thread* block : blocks) {
    void* const at = mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(at, MAP_FAILED);
    ASSERT_TRUE(segment_->view_thread_block(block, at, 4 * page));
    const size_t in_page = reinterpret_cast<uintptr_t>(block) % page;
    auto* const seen = reinterpret_cast<liballoc_abi_thread*>(static_cast<char*>(at) + in_page);
    EXPECT_EQ(seen->tid, block->tid);
    seen->classes[LIBALLOC_ABI_CACHE_CLASSES - 1].frees = 40 + block->tid;
    EXPECT_EQ(block->classes[LIBALLOC_ABI_CACHE_CLASSES - 1].frees, 40 + block->tid);
    const pid_t child = fork();
    if (child == 0) {
      unsigned char resident[4];
      _exit(mincore(at, 4 * page, resident) != 0 && errno == ENOMEM ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "nothing is mapped there in a child";
    munmap(at, 4 * page);
  }
  EXPECT_TRUE(is_locked(segment_->path())) << "a view that goes takes no lock with it";
}

TEST_F(SegmentTablesTest, WhereAMappingCannotBeDoubledTheFileIsMappedAgain) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const pid_t child = fork();
  if (child == 0) {
    if (!refuse_call(SYS_mremap, EINVAL)) _exit(77);  // as an emulator that does not know it
    segment_->lock_for_fork();  // a child of fork has no segment, so it makes one
    segment_->forget_after_fork();
    reset_lock_ranks_after_fork();
    if (create() != SegmentStatus::kOk) _exit(1);
    liballoc_abi_thread* const block = enter_new_block(7, 1);
    void* const at = mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!segment_->view_thread_block(block, at, 4 * page)) _exit(2);
    const size_t in_page = reinterpret_cast<uintptr_t>(block) % page;
    auto* const seen = reinterpret_cast<liballoc_abi_thread*>(static_cast<char*>(at) + in_page);
    seen->large_free_bytes = 123;
    if (seen->tid != 7 || block->large_free_bytes != 123) _exit(3);
    if (unlink(segment_->path()) != 0 || segment_->view_thread_block(block, at, 4 * page)) _exit(4);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no system call can be refused here";
  EXPECT_EQ(status, 0);
}

// ---- spans --------------------------------------------------------------------------------------

liballoc_abi_span span_at(uint64_t base) {
  liballoc_abi_span span{};
  span.sequence = 999;  // to be ignored
  span.base = base;
  span.pages = 3;
  span.state = LIBALLOC_SPAN_CACHED;
  span.size_class = 12;
  span.flags = LIBALLOC_SPAN_FLAG_NOSCAN;
  span.object_bytes = 144;
  span.objects = 170;
  span.allocated = 17;
  span.owner_tid = 77;
  span.changed_ns = 4;
  span.unused_ns = 5;
  return span;
}

TEST_F(SegmentTablesTest, SpanIsReadAsWritten) {
  const uint32_t record = segment_->add_span();
  ASSERT_EQ(record, 1u);
  EXPECT_EQ(view().records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS).at(0).state,
            LIBALLOC_SPAN_DEAD);
  segment_->write_span(record, span_at(0xc000000000));
  segment_->set_span_allocated(record, 18);
  const liballoc_abi_span seen = view().records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS).at(0);
  EXPECT_EQ(seen.sequence, 2u);  // even, and one write further
  EXPECT_EQ(seen.base, 0xc000000000u);
  EXPECT_EQ(seen.pages, 3u);
  EXPECT_EQ(seen.state, LIBALLOC_SPAN_CACHED);
  EXPECT_EQ(seen.size_class, 12u);
  EXPECT_EQ(seen.flags, LIBALLOC_SPAN_FLAG_NOSCAN);
  EXPECT_EQ(seen.object_bytes, 144u);
  EXPECT_EQ(seen.objects, 170u);
  EXPECT_EQ(seen.allocated, 18u);
  EXPECT_EQ(seen.owner_tid, 77u);
  EXPECT_EQ(seen.changed_ns, 4u);
  EXPECT_EQ(seen.unused_ns, 5u);
}

TEST_F(SegmentTablesTest, RemovedSpanIsDeadAndItsRecordIsUsedAgain) {
  const uint32_t first = segment_->add_span();
  const uint32_t second = segment_->add_span();
  segment_->write_span(first, span_at(0x10000));
  segment_->write_span(second, span_at(0x20000));
  const uint64_t sequence =
      view().records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS).at(0).sequence;
  segment_->remove_span(first);
  const auto spans = view().records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS);
  EXPECT_EQ(spans.at(0).state, LIBALLOC_SPAN_DEAD);
  EXPECT_EQ(spans.at(0).base, 0u);
  EXPECT_EQ(spans.at(0).sequence,
            sequence + 2);  // never starts over: a reader would take it for the old record
  EXPECT_EQ(spans.at(1).base, 0x20000u);
  EXPECT_EQ(segment_->add_span(), first);
}

TEST_F(SegmentTablesTest, SpansGrowOverTenExtentsWithoutMoving) {
  constexpr uint32_t kSpans = Segment::kInitialSpans * 1023;
  for (uint32_t i = 1; i <= kSpans; i++) {
    ASSERT_EQ(segment_->add_span(), i);
    segment_->write_span(i, span_at(uint64_t{i} << 13));
  }
  segment_->set_span_allocated(1, 101);
  segment_->set_span_allocated(kSpans, 102);
  const FileView file = view();
  EXPECT_EQ(file.extents(LIBALLOC_SECTION_SPANS).size(), 10u);
  const auto spans = file.records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS);
  ASSERT_EQ(spans.size(), kSpans);
  for (uint32_t i = 0; i < kSpans; i++) ASSERT_EQ(spans[i].base, uint64_t{i + 1} << 13);
  EXPECT_EQ(spans.front().allocated, 101u);
  EXPECT_EQ(spans.back().allocated, 102u);
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_SPANS), 0u);
  EXPECT_EQ(file.stored_bytes(), segment_->backed_bytes());
  for (uint32_t i = kSpans; i >= 1; i--) segment_->remove_span(i);
  EXPECT_EQ(segment_->add_span(), 1u);  // last freed
}

// ---- memstats, faults ---------------------------------------------------------------------------

TEST_F(SegmentTablesTest, MemstatsAreReadAsPublished) {
  liballoc_abi_memstats values{};
  auto* const words = reinterpret_cast<uint64_t*>(&values);
  for (size_t i = 0; i < sizeof(values) / 8; i++) words[i] = 1000 + i;
  segment_->publish_memstats(values);
  segment_->publish_memstats(values);
  const liballoc_abi_memstats seen =
      view().records<liballoc_abi_memstats>(LIBALLOC_SECTION_MEMSTATS).at(0);
  EXPECT_EQ(seen.sequence, 4u);
  EXPECT_EQ(seen.segment_bytes, segment_->backed_bytes());
  values.sequence = seen.sequence;
  values.segment_bytes = seen.segment_bytes;
  values.samples_taken = values.samples_live = values.samples_truncated = 0;  // there are none
  values.peak_generation = values.peak_profile_inuse = values.peak_profile_ns = 0;
  values.tiny_allocs = 0;  // summed over thread blocks: none yet
  values.buck_hash_sys += segment_->private_bytes();
  EXPECT_EQ(memcmp(&seen, &values, sizeof(values)), 0);
}

TEST_F(SegmentTablesTest, MemstatsSumTinyAllocationsOverAllBlocksUsedOrNot) {
  liballoc_abi_thread* const a = enter_new_block(11, 1);
  liballoc_abi_thread* const b = enter_new_block(12, 1);
  a->tiny_mallocs = 30;
  a->tiny_frees = 30;
  b->tiny_mallocs = 4;
  segment_->leave_thread_block(a);
  segment_->publish_memstats({});
  EXPECT_EQ(view().records<liballoc_abi_memstats>(LIBALLOC_SECTION_MEMSTATS).at(0).tiny_allocs, 34u);
}

TEST_F(SegmentTablesTest, SampleCountsShowWithoutAPublication) {
  const auto counts = [&] {
    const auto m = view().records<liballoc_abi_memstats>(LIBALLOC_SECTION_MEMSTATS).at(0);
    return std::vector<uint64_t>{m.samples_taken, m.samples_live, m.samples_truncated};
  };
  const uintptr_t pcs[] = {0x1000};
  liballoc_abi_sample sample{};
  sample.address = 0x2000;
  sample.stack = segment_->intern_stack(pcs, 1, false, 1, 1);
  const uint32_t first = segment_->add_sample(&sample, 1);
  sample.address = 0x3000;
  segment_->add_sample(&sample, 1, true);
  EXPECT_EQ(counts(), (std::vector<uint64_t>{2, 2, 1}));
  segment_->remove_sample(first, 1, 2, nullptr);
  EXPECT_EQ(counts(), (std::vector<uint64_t>{2, 1, 1}));
  segment_->publish_memstats({});
  EXPECT_EQ(counts(), (std::vector<uint64_t>{2, 1, 1})) << "a publication keeps them";
}

TEST_F(SegmentTablesTest, PeakKeepsWhatWasInUseAndTheOneBeforeStaysWhole) {
  const uintptr_t pcs[] = {0x1000};
  const uint32_t stack = segment_->intern_stack(pcs, 1, false, 1, 1);
  std::vector<uint32_t> live;
  const auto add = [&](uint32_t cache_class, uint64_t requested) {
    liballoc_abi_sample sample{};
    sample.address = 0x2000 + live.size() * 64;
    sample.requested_bytes = requested;
    sample.stack = stack;
    live.push_back(segment_->add_sample(&sample, cache_class));
  };
  for (uint32_t c = 1; c <= 100; c++) add(c, c);  // more buckets than the table begins with
  add(1, 50);
  EXPECT_EQ(segment_->record_peak(1 << 20, 77), 1u);
  const auto peaks = [&] { return view().records<liballoc_abi_peak>(LIBALLOC_SECTION_PEAK); };
  ASSERT_EQ(peaks().size(), 100u);
  EXPECT_EQ(peaks()[0].generation[1], 1u);
  EXPECT_EQ(peaks()[0].objects[1], 2u);
  EXPECT_EQ(peaks()[0].requested[1], 51u);
  EXPECT_EQ(peaks()[99].requested[1], 100u);
  segment_->remove_sample(live[1], 1, 2, nullptr);
  segment_->remove_sample(live[0], 1, 2, nullptr);
  EXPECT_EQ(segment_->record_peak(2 << 20, 88), 2u);
  EXPECT_EQ(peaks()[0].objects[0], 1u);
  EXPECT_EQ(peaks()[0].requested[0], 50u);
  EXPECT_EQ(peaks()[1].generation[0], 0u) << "nothing of it was in use at the second";
  EXPECT_EQ(peaks()[0].objects[1], 2u) << "the first is still there";
  const auto m = view().records<liballoc_abi_memstats>(LIBALLOC_SECTION_MEMSTATS).at(0);
  EXPECT_EQ(m.peak_generation, 2u);
  EXPECT_EQ(m.peak_profile_inuse, uint64_t{2} << 20);
  EXPECT_EQ(m.peak_profile_ns, 88u);
}

TEST_F(SegmentTablesTest, FaultsAreKeptUntilTheTableIsFullAndThenCounted) {
  for (uint64_t i = 0; i < FaultTable::kCapacity + 3; i++) {
    liballoc_abi_fault fault{};
    fault.code = i;  // the first has none: it must not look unused
    fault.address = 0x1000 + i;
    fault.alloc_stack = 5;
    strcpy(fault.message, "double free");
    segment_->record_fault(fault);
  }
  const FileView file = view();
  const auto faults = file.records<liballoc_abi_fault>(LIBALLOC_SECTION_FAULTS);
  ASSERT_EQ(faults.size(), size_t{FaultTable::kCapacity});
  EXPECT_EQ(faults[0].code, 1u);
  EXPECT_EQ(faults[3].code, 3u);
  EXPECT_EQ(faults[3].address, 0x1003u);
  EXPECT_EQ(faults[3].alloc_stack, 5u);
  EXPECT_STREQ(faults[3].message, "double free");
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_FAULTS), 3u);
}

TEST_F(SegmentTablesTest, FaultCanBeRecordedWithEveryLockHeld) {
  segment_->lock_for_fork();
  liballoc_abi_fault fault{};
  fault.code = 2;
  segment_->record_fault(fault);
  segment_->unlock_after_fork();
  EXPECT_EQ(view().records<liballoc_abi_fault>(LIBALLOC_SECTION_FAULTS).size(), 1u);
}

// ---- size ---------------------------------------------------------------------------------------

// What docs/segment.md says of the size: 44 KiB at rest, then what is stored, at most twice, in whole extents.
TEST_F(SegmentTablesTest, TheFileGrowsWithSpansAndSamplesByTwiceTheirRecordsAtMost) {
  const uint64_t at_first = segment_->backed_bytes();
  EXPECT_LE(at_first, align_up(40u << 10, system_page_bytes()) + align_up(4u << 10, system_page_bytes()));
  constexpr uint64_t kSpans = 20000, kSamples = 5000;
  for (uint64_t i = 0; i < kSpans; i++) ASSERT_NE(segment_->add_span(), 0u);
  const uint64_t of_spans = segment_->backed_bytes() - at_first;
  EXPECT_GE(of_spans, (kSpans - Segment::kInitialSpans) * sizeof(liballoc_abi_span));
  EXPECT_LE(of_spans, 2 * kSpans * sizeof(liballoc_abi_span) + system_page_bytes());
  for (uint64_t i = 0; i < kSamples; i++) {
    liballoc_abi_sample sample{};
    sample.address = i + 1;
    sample.allocated_bytes = 64;
    sample.period = 512;
    ASSERT_NE(segment_->add_sample(&sample, 5), 0u);
  }
  const uint64_t ring = Ring::kCapacity * sizeof(liballoc_abi_record);  // an event for each
  EXPECT_LE(segment_->backed_bytes() - at_first - of_spans, 2 * kSamples * sizeof(liballoc_abi_sample) + ring + system_page_bytes());
}

}  // namespace
}  // namespace liballoc
