// faults_reply.cc - see faults_reply.h.
#include "agent/service/faults_reply.h"

#include "agent/pprof/pc_table.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {
namespace {

using Frames = google::protobuf::RepeatedPtrField<pb::FaultFrame>;

// Frames of one stack that are sent. The library keeps 64; a segment may claim more.
constexpr size_t kMaxFrames = 128;
constexpr size_t kMaxFaults = 16;

pb::FaultKind kind_of(uint64_t code) {
  switch (code) {
    case LIBALLOC_FAULT_CHECK:
      return pb::FAULT_KIND_CHECK;
    case LIBALLOC_FAULT_FOREIGN:
      return pb::FAULT_KIND_FOREIGN;
    case LIBALLOC_FAULT_NOT_ALLOCATED:
      return pb::FAULT_KIND_NOT_ALLOCATED;
    case LIBALLOC_FAULT_INTERIOR:
      return pb::FAULT_KIND_INTERIOR;
    case LIBALLOC_FAULT_DOUBLE_FREE:
      return pb::FAULT_KIND_DOUBLE_FREE;
    case LIBALLOC_FAULT_WRONG_SIZE:
      return pb::FAULT_KIND_WRONG_SIZE;
    case LIBALLOC_FAULT_CORRUPT_SPAN:
      return pb::FAULT_KIND_CORRUPT_SPAN;
    default:
      return pb::FAULT_KIND_UNSPECIFIED;
  }
}

void add_frames(const Snapshot& snapshot, uint32_t stack, SymbolSource* symbols, Frames* out) {
  if (stack >= snapshot.stacks.size()) return;
  const std::vector<uint64_t>& pcs = snapshot.stacks[stack].pcs;
  PcTable table(snapshot, symbols);
  std::vector<uint32_t> frames;
  for (size_t i = 0; i < pcs.size() && i < kMaxFrames; ++i) frames.push_back(table.intern(pcs[i]));
  table.close();
  for (const uint32_t index : frames) {
    const PcInfo& info = table.at(index);
    const std::string& module = table.mappings()[info.mapping].path;
    if (info.frames.empty()) {
      pb::FaultFrame* frame = out->Add();
      frame->set_address(info.pc);
      frame->set_module(module);
    }
    for (const SourceFrame& source : info.frames) {
      pb::FaultFrame* frame = out->Add();
      frame->set_address(info.pc);
      frame->set_module(module);
      frame->set_function(source.function);
      frame->set_file(source.file);
      frame->set_line(source.line);
    }
  }
}

}  // namespace

void fill_faults(const Snapshot& snapshot, SymbolSource* symbols,
                 pb::ListFaultsResponse* response) {
  response->Clear();
  to_proto(snapshot, response->mutable_process());
  to_proto(snapshot.time_unix_ns, response->mutable_collect_time());
  for (size_t i = 0; i < snapshot.faults.size() && i < kMaxFaults; ++i) {
    const Fault& fault = snapshot.faults[i];
    pb::Fault* out = response->add_faults();
    out->set_kind(kind_of(fault.code));
    out->set_message(fault.message);
    to_proto(fault.time_unix_ns, out->mutable_time());
    out->set_tid(fault.tid);
    out->set_address(fault.address);
    out->set_object_base(fault.object_base);
    out->set_span_base(fault.span_base);
    out->set_size_class(fault.size_class);
    add_frames(snapshot, fault.fault_stack, symbols, out->mutable_found_at());
    add_frames(snapshot, fault.alloc_stack, symbols, out->mutable_allocated_at());
    add_frames(snapshot, fault.free_stack, symbols, out->mutable_freed_at());
  }
}

}  // namespace liballoc::agent
