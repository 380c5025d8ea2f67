// malloc_info.cc - glibc's windows on an allocator, with our figures: mallinfo, mallinfo2, malloc_info, malloc_stats, malloc_trim
// and mallopt. What each field says is in docs/heap.md. Figures are collected first and written afterwards, when no lock is held:
// writing to a FILE may allocate.
#include <errno.h>
#include <malloc.h>

#include <cstdint>
#include <limits>

#include "liballoc/base/check.h"
#include "liballoc/core/memory_figures.h"
#include "liballoc/os/sys_mem.h"

using liballoc::LineBuffer;
using liballoc::MemoryFigures;

namespace {

uint64_t difference(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

struct mallinfo2 fill_mallinfo() {
  MemoryFigures f;
  liballoc::collect_memory_figures(&f);
  struct mallinfo2 info = {};
  info.hblks = f.classes[0].live_objects();
  info.hblkhd = f.large_live_bytes();
  info.uordblks = f.small_live_bytes();
  info.arena = difference(f.backed(), info.hblkhd);
  info.fordblks = difference(info.arena, info.uordblks);
  info.fsmblks = f.free_in_use();
  info.ordblks = f.pages.spans_idle;
  info.keepcost = f.pages.idle - f.pages.released;
  return info;
}

int saturated(size_t n) {
  constexpr int kMost = std::numeric_limits<int>::max();
  return n > static_cast<size_t>(kMost) ? kMost : static_cast<int>(n);
}

// One line of a FILE at a time. What the program's stdio does with it is its own affair.
class XmlWriter {
 public:
  explicit XmlWriter(FILE* out) : out_(out) {}
  void line(LineBuffer& text) {
    text.text("\n");
    if (fwrite(text.data(), 1, text.size(), out_) != text.size()) failed_ = true;
  }
  void line(const char* text) {
    LineBuffer buffer;
    line(buffer.text(text));
  }
  // <total type="..." count="..." size="..."/>
  void total(const char* type, uint64_t count, uint64_t size) {
    LineBuffer text;
    line(text.text("<total type=\"").text(type).text("\" count=\"").dec(count).text("\" size=\"").dec(size).text("\"/>"));
  }
  // <element type="..." size="..."/>
  void size(const char* element, const char* type, uint64_t bytes) {
    LineBuffer text;
    line(text.text("<").text(element).text(" type=\"").text(type).text("\" size=\"").dec(bytes).text("\"/>"));
  }
  bool failed() const { return failed_; }

 private:
  FILE* out_;
  bool failed_ = false;
};

void write_idle_sizes(XmlWriter& xml, const MemoryFigures& f) {
  xml.line("<sizes>");
  for (unsigned g = 0; g < liballoc::kIdleGroups; g++) {
    if (f.idle[g].spans == 0) continue;
    LineBuffer text;
    text.text("<size from=\"").dec(uint64_t{1} << (g + liballoc::kPageShift)).text("\" to=\"");
    text.dec((uint64_t{2} << (g + liballoc::kPageShift)) - 1).text("\" total=\"").dec(f.idle[g].bytes);
    xml.line(text.text("\" count=\"").dec(f.idle[g].spans).text("\"/>"));
  }
  xml.line("</sizes>");
}

void write_classes(XmlWriter& xml, const MemoryFigures& f) {
  xml.line("<classes>");
  for (unsigned c = 0; c < liballoc::kSizeClasses; c++) {
    if (f.classes[c].mallocs == 0) continue;
    LineBuffer text;
    text.text("<class size=\"").dec(liballoc::kClasses[c].bytes).text("\" mallocs=\"").dec(f.classes[c].mallocs);
    text.text("\" frees=\"").dec(f.classes[c].frees).text("\" live=\"").dec(f.classes[c].live_objects());
    xml.line(text.text("\"/>"));
  }
  xml.line("</classes>");
}

// <metadata type="..." count="..." size="..."/>: records in use, of what the library keeps for itself.
void write_metadata(XmlWriter& xml, const MemoryFigures& f) {
  const auto kind = [&xml](const char* type, uint64_t count, uint64_t bytes) {
    LineBuffer text;
    text.text("<metadata type=\"").text(type).text("\" count=\"").dec(count).text("\" size=\"").dec(bytes);
    xml.line(text.text("\"/>"));
  };
  kind("span", f.kept.spans.records, f.kept.spans.bytes);
  kind("tree node", f.kept.tree_nodes.records, f.kept.tree_nodes.bytes);
  kind("bitmap", f.kept.bitmaps.records, f.kept.bitmaps.bytes);
  kind("tiny table", f.kept.tiny_words.records, f.kept.tiny_words.bytes);
  kind("arena hint", f.kept.arena_hints.records, f.kept.arena_hints.bytes);
  kind("arena", f.kept.arenas.records, f.kept.arenas.bytes);
  kind("special", f.specials, f.specials_bytes);
  kind("thread cache", f.threads.live, f.thread_cache_bytes);
  LineBuffer dumps;  // pages kept out of core dumps and taken back in
  dumps.text("<dumps changes=\"").dec(liballoc::sys_mem_stats().dump_calls.load()).text("\" refused=\"");
  xml.line(dumps.dec(liballoc::sys_mem_stats().dump_failures.load()).text("\"/>"));
}

// The part of glibc's layout that stands once per heap and once for the process; there is one heap.
void write_totals(XmlWriter& xml, const MemoryFigures& f) {
  uint64_t idle_spans = 0, idle_bytes = 0;
  for (const MemoryFigures::Idle& idle : f.idle) {
    idle_spans += idle.spans;
    idle_bytes += idle.bytes;
  }
  xml.total("fast", 0, f.free_in_use());
  xml.total("rest", idle_spans, idle_bytes);
}

void write_sizes_of_system(XmlWriter& xml, const MemoryFigures& f) {
  xml.size("system", "current", f.backed());
  xml.size("system", "max", f.pages.heap_sys());
  xml.size("aspace", "total", f.os_reserved + f.os_prepared + f.os_ready);
  xml.size("aspace", "mprotect", f.os_prepared + f.os_ready);
}

void stats_line(const char* name, uint64_t value) {
  LineBuffer line;
  // glibc's columns: the name, " = ", then the number right-aligned in ten.
  line.text(name).text(" = ");
  uint64_t digits = 1;
  for (uint64_t rest = value; rest >= 10; rest /= 10) digits++;
  for (; digits < 10; digits++) line.text(" ");
  line.dec(value).write_to_stderr();
}

}  // namespace

extern "C" {

LIBALLOC_EXPORT struct mallinfo2 mallinfo2(void) noexcept { return fill_mallinfo(); }

// Its fields are ints: what does not fit is the largest int, where glibc wraps around.
LIBALLOC_EXPORT struct mallinfo mallinfo(void) noexcept {
  const struct mallinfo2 wide = fill_mallinfo();
  struct mallinfo info = {};
  info.arena = saturated(wide.arena);
  info.ordblks = saturated(wide.ordblks);
  info.hblks = saturated(wide.hblks);
  info.hblkhd = saturated(wide.hblkhd);
  info.fsmblks = saturated(wide.fsmblks);
  info.uordblks = saturated(wide.uordblks);
  info.fordblks = saturated(wide.fordblks);
  info.keepcost = saturated(wide.keepcost);
  return info;
}

LIBALLOC_EXPORT int malloc_info(int options, FILE* out) noexcept {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  MemoryFigures f;
  liballoc::collect_memory_figures(&f);
  XmlWriter xml(out);
  xml.line("<malloc version=\"1\">");
  xml.line("<heap nr=\"0\">");
  write_idle_sizes(xml, f);
  write_totals(xml, f);
  write_sizes_of_system(xml, f);
  xml.line("</heap>");
  write_totals(xml, f);
  xml.total("mmap", f.classes[0].live_objects(), f.large_live_bytes());
  write_sizes_of_system(xml, f);
  xml.line("<liballoc version=\"" LIBALLOC_VERSION "\">");
  write_classes(xml, f);
  xml.total("live", f.small_live_objects() + f.classes[0].live_objects(), f.small_live_bytes() + f.large_live_bytes());
  xml.size("heap", "inuse", f.pages.in_use);
  xml.size("heap", "idle", f.pages.idle);
  xml.size("heap", "released", f.pages.released);
  xml.size("heap", "peak", f.pages.peak_in_use);
  xml.size("heap", "metadata", f.metadata);
  write_metadata(xml, f);
  xml.line("</liballoc>");
  xml.line("</malloc>");
  return xml.failed() ? -1 : 0;
}

LIBALLOC_EXPORT void malloc_stats(void) noexcept {
  MemoryFigures f;
  liballoc::collect_memory_figures(&f);
  LineBuffer heading;
  heading.text("Arena 0:").write_to_stderr();
  stats_line("system bytes    ", difference(f.backed(), f.large_live_bytes()));
  stats_line("in use bytes    ", f.small_live_bytes());
  LineBuffer total;
  total.text("Total (incl. mmap):").write_to_stderr();
  stats_line("system bytes    ", f.backed());
  stats_line("in use bytes    ", f.small_live_bytes() + f.large_live_bytes());
  stats_line("live objects    ", f.small_live_objects() + f.classes[0].live_objects());
  stats_line("large objects   ", f.classes[0].live_objects());
  stats_line("large bytes     ", f.large_live_bytes());
  stats_line("cached bytes    ", f.free_in_use());
  stats_line("idle bytes      ", f.pages.idle - f.pages.released);
  stats_line("released bytes  ", f.pages.released);
  stats_line("peak bytes      ", f.pages.peak_in_use);
  stats_line("metadata bytes  ", f.metadata);
  stats_line("threads         ", f.threads.live);
}

LIBALLOC_EXPORT int malloc_trim(size_t pad) noexcept { return liballoc::trim_memory(pad) != 0 ? 1 : 0; }

// The parameters tune mechanisms of glibc that do not exist here. What cannot be told from outside is accepted, within the values
// that glibc accepts; what would promise something that is not done (M_PERTURB) or is unknown is refused.
LIBALLOC_EXPORT int mallopt(int parameter, int value) noexcept {
  constexpr int kMaxFastBytes = 80 * sizeof(size_t) / 4;
  constexpr int kMaxMmapThreshold = 32 << 20;
  switch (parameter) {
    case M_MXFAST: return value >= 0 && value <= kMaxFastBytes;
    case M_MMAP_THRESHOLD: return value >= 0 && value <= kMaxMmapThreshold;
    case M_TRIM_THRESHOLD:  // -1 turns trimming off
    case M_TOP_PAD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION: return 1;  // a corrupted heap always ends the process, as with glibc since 2.26
    case M_ARENA_TEST:
    case M_ARENA_MAX: return value > 0;
    case M_PERTURB: return value == 0;
    default: return 0;
  }
}

}  // extern "C"
