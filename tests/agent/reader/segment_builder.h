// segment_builder.h - makes valid version-1 segments for tests, from plain records. Must never
// share code with the reader: it lays out the bytes from telemetry_abi.h alone.
//
// Use: SegmentBuilder b(pid, ticks); b.set_mallocs(0, 5, 100); b.write_file(dir);
// Everything public may be changed before bytes() is called; bytes() can be called again after more
// changes.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

class SegmentBuilder {
 public:
  static constexpr uint64_t kCreatedRealtimeNs = 1700000000000000000;
  static constexpr uint64_t kCreatedMonotonicNs = 5000000000;
  static constexpr uint64_t kPeriod = 524288;
  static constexpr uint32_t kNoscan = LIBALLOC_ABI_SIZE_CLASSES;  // added to a class

  explicit SegmentBuilder(uint32_t pid = 1234, uint64_t start_ticks = 5678) {
    header.magic = LIBALLOC_ABI_MAGIC;
    header.major = LIBALLOC_ABI_MAJOR;
    header.minor = LIBALLOC_ABI_MINOR;
    header.header_bytes = sizeof(header);
    header.capacity_bytes = LIBALLOC_ABI_CAPACITY_BYTES;
    header.directory_offset = sizeof(header);
    header.directory_stride = sizeof(liballoc_abi_section);
    header.pid = pid;
    header.uid = ::getuid();
    header.start_ticks = start_ticks;
    header.created_realtime_ns = kCreatedRealtimeNs;
    header.created_monotonic_ns = kCreatedMonotonicNs;
    header.start_realtime_ns = kCreatedRealtimeNs - 1000000;
    header.page_bytes = 8192;
    header.pid_namespace = 4026531836u;
    header.arena_bytes = 67108864;
    set_string(identity.executable, "/usr/bin/demo");
    set_string(identity.service, "demo");
    set_string(identity.cgroup, "/system.slice/demo.service");
    set_string(identity.hostname, "testhost");
    set_string(identity.version, "0.1.0");
    set_command_line({"/usr/bin/demo", "--port", "80"});
    fill_size_classes();
    memstats.updated_ns = kCreatedMonotonicNs + 1000;
    memstats.sample_period = kPeriod;
    threads.resize(1);
    threads[0].tid = pid;
    threads[0].threads = 1;
  }

  // --- records; numbers returned are record numbers + 1, as the format refers to them
  // ------------------------------

  liballoc_abi_header header{};
  liballoc_abi_identity identity{};
  liballoc_abi_memstats memstats{};
  std::vector<liballoc_abi_size_class> size_classes;
  std::vector<liballoc_abi_thread> threads;
  std::vector<liballoc_abi_span> spans;
  std::vector<liballoc_abi_stack> stacks;
  std::vector<liballoc_abi_frame> frames;
  std::vector<liballoc_abi_bucket> buckets;
  std::vector<liballoc_abi_sample> samples;
  std::vector<liballoc_abi_label> labels;          // likewise the sections of version 1.2
  std::vector<liballoc_abi_label_set> label_sets;
  std::vector<liballoc_abi_peak> peaks;  // none: the section of version 1.1 is left out
  std::vector<liballoc_abi_module> modules;
  std::vector<liballoc_abi_fault> faults;
  uint32_t ring_capacity = 64;
  uint64_t ring_start = 0;                // event in slot 0 of the current round
  uint32_t ring_records = 0;              // of a round; 0: the writer knows of no rounds
  uint64_t ring_head = 0;                 // events ever written
  std::vector<liballoc_abi_record> ring;  // slots; sized by push_event()

  // Options of the layout.
  std::map<uint32_t, uint32_t> extents;  // section kind -> number of extents (default 1)
  std::map<uint32_t, uint32_t>
      extra_stride;  // section kind -> bytes that a newer minor appended to each record
  std::map<uint32_t, uint64_t> dropped;  // section kind -> dropped

  template <size_t N>
  static void set_string(char (&field)[N], std::string_view text) {
    std::memset(field, 0, N);
    std::memcpy(field, text.data(), std::min(text.size(), N));
  }

  void set_command_line(const std::vector<std::string>& words) {
    std::string joined;
    for (const std::string& word : words) joined += word + '\0';
    set_string(identity.command_line, joined);
    identity.command_line_bytes =
        static_cast<uint32_t>(std::min(joined.size(), sizeof(identity.command_line)));
  }

  // `mallocs` objects handed out by a thread's block, of which the block's countdown says so with
  // any `countdown`.
  void set_mallocs(size_t thread, uint32_t cache_class, uint64_t mallocs,
                   int32_t countdown = 1000) {
    liballoc_abi_class_counter& c = threads.at(thread).classes[cache_class];
    c.granted = mallocs + static_cast<uint64_t>(int64_t{countdown});
    c.granted_low = static_cast<uint32_t>(c.granted);
    c.countdown = countdown;
  }
  void set_frees(size_t thread, uint32_t cache_class, uint64_t frees) {
    threads.at(thread).classes[cache_class].frees = frees;
  }

  uint32_t add_stack(const std::vector<uint64_t>& pcs, bool truncated = false) {
    liballoc_abi_stack stack{};
    stack.hash = 0x9e3779b97f4a7c15 * (stacks.size() + 1);
    stack.first_frame = frames.size();
    stack.depth = static_cast<uint32_t>(pcs.size());
    stack.flags = truncated ? 1 : 0;
    for (const uint64_t pc : pcs) frames.push_back({pc});
    stacks.push_back(stack);
    return static_cast<uint32_t>(stacks.size());
  }

  uint32_t add_bucket(uint32_t stack, uint32_t cache_class, uint64_t allocated_bytes,
                      uint64_t allocs, uint64_t alloc_requested, uint64_t frees = 0,
                      uint64_t free_requested = 0, uint64_t period = kPeriod) {
    liballoc_abi_bucket bucket{};
    bucket.stack = stack;
    bucket.cache_class = cache_class;
    bucket.allocated_bytes = allocated_bytes;
    bucket.period = period;
    bucket.allocs = allocs;
    bucket.alloc_requested = alloc_requested;
    bucket.frees = frees;
    bucket.free_requested = free_requested;
    buckets.push_back(bucket);
    return static_cast<uint32_t>(buckets.size());
  }

  // `added`: the labels in the order of the record, each as a label of its own.
  uint32_t add_label_set(const std::vector<std::pair<std::string, std::string>>& added) {
    liballoc_abi_label_set set{};
    for (const auto& [key, value] : added) {
      liballoc_abi_label label{};
      label.key_bytes = static_cast<uint32_t>(key.size());
      label.value_bytes = static_cast<uint32_t>(value.size());
      set_string(label.key, key);
      set_string(label.value, value);
      labels.push_back(label);
      set.label[set.labels++ % LIBALLOC_ABI_LABELS_PER_SET] = static_cast<uint32_t>(labels.size());
    }
    label_sets.push_back(set);
    return static_cast<uint32_t>(label_sets.size());
  }

  uint32_t add_sample(uint64_t address, uint64_t requested, uint64_t allocated, uint32_t stack,
                      uint32_t bucket, uint32_t tid = 1) {
    liballoc_abi_sample sample{};
    sample.sequence = 2;
    sample.address = address;
    sample.requested_bytes = requested;
    sample.allocated_bytes = allocated;
    sample.time_ns = kCreatedMonotonicNs + 2000;
    sample.period = kPeriod;
    sample.stack = stack;
    sample.bucket = bucket;
    sample.tid = tid;
    samples.push_back(sample);
    return static_cast<uint32_t>(samples.size());
  }

  uint32_t add_span(uint64_t base, uint32_t pages, uint8_t state, uint8_t size_class = 0,
                    uint32_t allocated = 0) {
    liballoc_abi_span span{};
    span.sequence = 4;
    span.base = base;
    span.pages = pages;
    span.state = state;
    span.size_class = size_class;
    span.object_bytes = size_classes.at(size_class).object_bytes;
    span.objects = size_classes.at(size_class).objects;
    span.allocated = allocated;
    span.changed_ns = kCreatedMonotonicNs + 3000;
    spans.push_back(span);
    return static_cast<uint32_t>(spans.size());
  }

  uint32_t add_module(uint64_t start, uint64_t end, std::string_view path,
                      const std::vector<uint8_t>& build_id = {}, uint64_t file_offset = 0,
                      uint64_t load_bias = 0) {
    liballoc_abi_module module{};
    module.start = start;
    module.end = end;
    module.file_offset = file_offset;
    module.load_bias = load_bias;
    module.loaded_ns = kCreatedMonotonicNs;
    module.build_id_bytes = static_cast<uint32_t>(build_id.size());
    if (!build_id.empty()) std::memcpy(module.build_id, build_id.data(), build_id.size());
    module.path_bytes = static_cast<uint32_t>(path.size());
    set_string(module.path, path);
    modules.push_back(module);
    return static_cast<uint32_t>(modules.size());
  }

  uint32_t add_fault(uint64_t code, uint64_t address, std::string_view message) {
    liballoc_abi_fault fault{};
    fault.code = code;
    fault.address = address;
    fault.time_ns = kCreatedMonotonicNs + 4000;
    set_string(fault.message, message);
    faults.push_back(fault);
    return static_cast<uint32_t>(faults.size());
  }

  // Writes the next event as the library does: over the oldest slot when the ring is full.
  void push_event(uint32_t kind, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0,
                  uint64_t e = 0) {
    ring.resize(ring_capacity);
    const uint64_t records = ring_records == 0 ? ring_capacity : ring_records;
    liballoc_abi_record& slot = ring[(ring_head - ring_start) % records];
    slot = {ring_head + 1, kCreatedMonotonicNs + 10 * (ring_head + 1), kind, 7, a, b, c, d, e};
    ++ring_head;
  }

  // The ring grows, as it may at the end of a round alone.
  void grow_ring(uint32_t records) {
    ring_start = ring_head - ring_records;
    ring_records = records;
  }
  bool ring_round_is_over() const { return (ring_head - ring_start) % ring_records == 0; }

  // --- bytes
  // -----------------------------------------------------------------------------------------------------

  std::string file_name() const {
    return LIBALLOC_ABI_FILE_PREFIX + std::to_string(header.pid) + "." +
           std::to_string(header.start_ticks);
  }

  // Everything below valid_bytes.
  std::vector<uint8_t> bytes() {
    directory_.clear();
    body_.assign(sizeof(header) + LIBALLOC_ABI_DIRECTORY_CAPACITY * sizeof(liballoc_abi_section),
                 0);
    add_section(LIBALLOC_SECTION_IDENTITY, std::vector{identity});
    add_section(LIBALLOC_SECTION_SIZE_CLASSES, size_classes);
    add_section(LIBALLOC_SECTION_MEMSTATS, std::vector{memstats});
    add_section(LIBALLOC_SECTION_THREADS, threads);
    add_section(LIBALLOC_SECTION_SPANS, spans);
    add_section(LIBALLOC_SECTION_STACKS, stacks);
    add_section(LIBALLOC_SECTION_FRAMES, frames);
    add_section(LIBALLOC_SECTION_BUCKETS, buckets);
    add_section(LIBALLOC_SECTION_SAMPLES, samples);
    if (!labels.empty()) add_section(LIBALLOC_SECTION_LABELS, labels);
    if (!label_sets.empty()) add_section(LIBALLOC_SECTION_LABEL_SETS, label_sets);
    if (!peaks.empty()) add_section(LIBALLOC_SECTION_PEAK, peaks);
    add_section(LIBALLOC_SECTION_MODULES, modules);
    ring.resize(ring_capacity);
    add_section(LIBALLOC_SECTION_RING, ring);
    directory_.back().count = ring_head;
    directory_.back().ring_round = ring_start << 16 | ring_records;
    add_section(LIBALLOC_SECTION_FAULTS, faults);
    header.directory_count = directory_.size();
    header.valid_bytes = (body_.size() + 4095) / 4096 * 4096;
    body_.resize(header.valid_bytes, 0);
    std::memcpy(body_.data(), &header, sizeof(header));
    std::memcpy(body_.data() + header.directory_offset, directory_.data(),
                directory_.size() * sizeof(liballoc_abi_section));
    return body_;
  }

  // After bytes(): where the given section's extent is described and where its data are, for tests
  // that break them.
  uint64_t directory_entry_offset(uint32_t kind, uint32_t extent = 0) const {
    return header.directory_offset + entry_index(kind, extent) * sizeof(liballoc_abi_section);
  }
  const liballoc_abi_section& entry(uint32_t kind, uint32_t extent = 0) const {
    return directory_[entry_index(kind, extent)];
  }

  // Creates the segment file, sparse and of its logical size, so that it appears whole under its
  // name; or rewrites it in place, keeping the inode. Returns its path.
  std::string write_file(const std::string& dir) {
    const std::string path = dir + "/" + file_name();
    write_bytes(path, bytes(), header.capacity_bytes);
    return path;
  }

  static void write_bytes(const std::string& path, const std::vector<uint8_t>& data,
                          uint64_t file_bytes) {
    const bool exists = ::access(path.c_str(), F_OK) == 0;
    const std::string target = exists ? path : path + ".new";
    const int fd = ::open(target.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("cannot create " + path + ": " + std::strerror(errno));
    const bool written =
        ::pwrite(fd, data.data(), data.size(), 0) == static_cast<ssize_t>(data.size()) &&
        ::ftruncate(fd, static_cast<off_t>(file_bytes)) == 0 &&
        (exists || ::rename(target.c_str(), path.c_str()) == 0);
    ::close(fd);
    if (!written) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  }

 private:
  template <typename T>
  void add_section(uint32_t kind, const std::vector<T>& records) {
    const uint32_t parts = extents.count(kind) != 0 ? extents[kind] : 1;
    const uint32_t stride = static_cast<uint32_t>(sizeof(T)) + extra_stride[kind];
    // All but the last extent are full; the last has room for more.
    const size_t per_part = std::max<size_t>(1, records.size() / parts);
    size_t next = 0;
    for (uint32_t part = 0; part < parts; ++part) {
      const bool last = part + 1 == parts;
      const size_t count = last ? records.size() - next : std::min(per_part, records.size() - next);
      body_.resize((body_.size() + 63) / 64 * 64, 0);
      liballoc_abi_section entry{};
      entry.kind = kind;
      entry.extent = part;
      entry.offset = body_.size();
      entry.stride = stride;
      entry.capacity = static_cast<uint32_t>(std::max<size_t>(count, 1));
      entry.count = count;
      entry.dropped = part == 0 ? dropped[kind] : 0;
      directory_.push_back(entry);
      body_.resize(body_.size() + size_t{stride} * entry.capacity, 0);
      for (size_t i = 0; i < count; ++i) {
        std::memcpy(body_.data() + entry.offset + i * stride, &records[next + i], sizeof(T));
        // What a newer minor appended must not disturb an old reader.
        std::memset(body_.data() + entry.offset + i * stride + sizeof(T), 0xEE, stride - sizeof(T));
      }
      next += count;
    }
  }

  size_t entry_index(uint32_t kind, uint32_t extent) const {
    for (size_t i = 0; i < directory_.size(); ++i) {
      if (directory_[i].kind == kind && directory_[i].extent == extent) return i;
    }
    throw std::out_of_range("no such section");
  }

  void fill_size_classes() {
    static constexpr uint32_t kBytes[] = {
        0,     8,     16,    32,    48,    64,    80,    96,    112,   128,   144,   160,
        176,   192,   208,   224,   240,   256,   288,   320,   352,   384,   416,   448,
        480,   512,   576,   640,   704,   768,   896,   1024,  1152,  1280,  1408,  1536,
        1792,  2048,  2304,  2688,  3072,  3200,  3456,  4096,  4864,  5376,  6144,  6528,
        6784,  6912,  8192,  9472,  9728,  10240, 10880, 12288, 13568, 14336, 16384, 18432,
        19072, 20480, 21760, 24576, 27264, 28672, 32768};
    static_assert(std::size(kBytes) == LIBALLOC_ABI_SIZE_CLASSES);
    for (const uint32_t object_bytes : kBytes) {
      liballoc_abi_size_class record{};
      record.object_bytes = object_bytes;
      if (object_bytes != 0) {
        record.span_pages = 1;
        while (record.span_pages * 8192 % object_bytes > record.span_pages * 8192 / 8) {
          ++record.span_pages;
        }
        record.objects = record.span_pages * 8192 / object_bytes;
      }
      size_classes.push_back(record);
    }
  }

  std::vector<liballoc_abi_section> directory_;
  std::vector<uint8_t> body_;
};

}  // namespace liballoc::agent
