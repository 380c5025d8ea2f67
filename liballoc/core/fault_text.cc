// fault_text.cc - see fault_text.h.
#include "liballoc/core/fault_text.h"

#include "liballoc/core/thread.h"
#include "liballoc/profile/module_finder.h"

namespace liballoc {

namespace {

const char* text_of(SpanPlace place) {
  switch (place) {
    case SpanPlace::kNowhere:
      return "in no list";
    case SpanPlace::kPartial:
      return "partly free";
    case SpanPlace::kFull:
      return "full";
    case SpanPlace::kCached:
      return "cached";
    case SpanPlace::kLarge:
      return "large";
    case SpanPlace::kPageCached:
      return "free, kept for reuse";
  }
  return "in an unknown state";
}

}  // namespace

void describe_object(LineBuffer& line, const Span* span, uintptr_t address) {
  if (span->size_class == 0) {
    line.text("large object of ").dec(span->bytes()).text(" bytes at ").hex(span->base);
  } else {
    line.dec(span->object_bytes)
        .text("-byte object, slot ")
        .dec(span->slot_of(address))
        .text(" of ");
    line.dec(span->objects).text(" (").dec(span->alloc_count).text(" taken)");
  }
  line.text(", span of ")
      .dec(span->pages)
      .text(span->pages == 1 ? " page at " : " pages at ")
      .hex(span->base);
  line.text(", ").text(text_of(span->place));
  if (span->owner != nullptr)
    line.text(" by thread ").dec(reinterpret_cast<const Thread*>(span->owner)->tid);
}

void print_stack(const char* title, const uint64_t* pcs, uint32_t depth) {
  LineBuffer head;
  head.text("  ").text(title).text(depth == 0 ? ": no stack" : ":");
  head.write_to_stderr();
  for (uint32_t i = 0; i < depth; i++) {
    LineBuffer line;
    line.text("    ").hex(pcs[i]);
    FoundModule module = {};
    const uint64_t call = pcs[i] - 1;  // inside the call, as tools that name functions want it
    if (find_module(call, &module)) {
      line.text(" ").text(module.path[0] != '\0' ? module.path : "/proc/self/exe");
      line.text("+").hex(call - module.load_bias);
    }
    line.write_to_stderr();
  }
}

}  // namespace liballoc
