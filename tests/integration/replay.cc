// replay.cc - replay SEGMENT from-start|resync: follows one segment's ring all the time, as a consumer of events would, and says
// on request whether the state that the events lead to is the state that the tables show. Must never write to the segment.
//
// Protocol: "c" on standard input, when the program is at rest, is answered by "ok ..." or by "differs ..." and what differs.
// Ends with 1 when counters ran backwards, the missed count did not add up, or an event was missed that must not be.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/reader/counter_math.h"
#include "agent/reader/limits.h"
#include "agent/reader/segment_file.h"
#include "agent/reader/segment_reader.h"
#include "agent/reader/table.h"
#include "tests/integration/heap_replay.h"

namespace liballoc::agent {
namespace {

[[noreturn]] void fail(const std::string& why) {
  std::printf("failed: %s\n", why.c_str());
  std::fflush(stdout);
  std::exit(1);
}

struct Totals {
  uint64_t mallocs[LIBALLOC_ABI_CACHE_CLASSES] = {};
  uint64_t frees[LIBALLOC_ABI_CACHE_CLASSES] = {};
};

class Follower {
 public:
  Follower(SegmentFile file, const SegmentName& name, bool from_start)
      : file_(std::move(file)), reader_(name), from_start_(from_start) {}

  // One reading: the events up to the ring's head as it was before the tables were fetched.
  SegmentReading step() {
    auto reading = reader_.read(file_, true, 0);
    if (!reading) fail("cannot read: " + reading.error().detail);
    const ReadHealth& health = reading->snapshot.health;
    if (health.ring_corrupt != 0) fail("a ring record that cannot be");
    delivered_ += reading->events.size();
    if (delivered_ + health.ring_missed != health.ring_events) {
      fail(std::to_string(delivered_) + " events and " + std::to_string(health.ring_missed) + " missed are not " +
           std::to_string(health.ring_events));
    }
    const bool gap = health.ring_missed != missed_;
    missed_ = health.ring_missed;
    if (from_start_) {
      if (missed_ != 0) fail("missed " + std::to_string(missed_) + " events");
      for (const Event& event : reading->events) replay_.apply(event);
    } else if (gap || !begun_) {
      // The tables are newer than these events: the next ones go on from here. A record that was torn is no state to begin with.
      begun_ = health.torn_records == 0;
      resyncs_ += begun_;
      applied_ = 0;
      replay_.adopt(reading->snapshot);
    } else {
      for (const Event& event : reading->events) replay_.apply(event);
      applied_ += reading->events.size();
    }
    check_counters();
    return std::move(*reading);
  }

  void check() {
    SegmentReading last = step();
    for (int i = 0; i < 3 || !last.events.empty() || last.snapshot.health.torn_records != 0; i++) last = step();
    const std::string differs = replay_.compare(last.snapshot);
    std::printf("%s applied %llu events %llu missed %llu resyncs %llu spans %zu samples %zu\n%s", differs.empty() ? "ok" : "differs",
                static_cast<unsigned long long>(applied_), static_cast<unsigned long long>(delivered_), static_cast<unsigned long long>(missed_),
                static_cast<unsigned long long>(resyncs_), replay_.spans(), replay_.samples(), differs.c_str());
    std::fflush(stdout);
    if (!differs.empty()) std::exit(1);
  }

 private:
  void check_counters() {
    const auto layout = read_layout(file_);
    if (!layout) fail("cannot read the layout");
    const auto table =
        read_table<liballoc_abi_thread, false>(file_, layout->section(LIBALLOC_SECTION_THREADS), limits::kMaxThreads);
    if (!table) fail("cannot read the counters");
    Totals now;
    for (const liballoc_abi_thread& thread : table->records) {
      for (size_t c = 0; c < LIBALLOC_ABI_CACHE_CLASSES; c++) {
        const liballoc_abi_class_counter& counter = thread.classes[c];
        now.mallocs[c] += objects_handed_out(counter.granted, counter.granted_low, counter.countdown);
        now.frees[c] += counter.frees;
      }
    }
    for (size_t c = 0; c < LIBALLOC_ABI_CACHE_CLASSES; c++) {
      if (now.mallocs[c] < last_.mallocs[c] || now.frees[c] < last_.frees[c]) {
        fail("counters of class " + std::to_string(c) + " ran backwards");
      }
    }
    last_ = now;
  }

  SegmentFile file_;
  SegmentReader reader_;
  const bool from_start_;
  HeapReplay replay_;
  Totals last_;
  bool begun_ = false;
  uint64_t delivered_ = 0, missed_ = 0, resyncs_ = 0;
  uint64_t applied_ = 0;  // since the last resync
};

int run(const std::string& path, bool from_start) {
  const std::filesystem::path file(path);
  const std::optional<SegmentName> name = parse_segment_name(file.filename().string());
  if (!name) fail("not a segment's name: " + path);
  const int dir = open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto opened = SegmentFile::open_at(dir, file.filename().string(), getuid());
  if (!opened) fail("cannot open " + path + ": " + opened.error().detail);
  Follower follower(std::move(*opened), *name, from_start);
  constexpr int kPollMs = 2;
  for (;;) {
    follower.step();
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, kPollMs) <= 0) continue;
    char command = 0;
    if (read(STDIN_FILENO, &command, 1) != 1) return 0;
    follower.check();
  }
}

}  // namespace
}  // namespace liballoc::agent

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[2] : "";
  if (mode != "from-start" && mode != "resync") {
    std::fprintf(stderr, "usage: %s SEGMENT from-start|resync\n", argv[0]);
    return 2;
  }
  return liballoc::agent::run(argv[1], mode == "from-start");
}
