// heap_profile.h - a snapshot as a heap profile that pprof, Parca and Pyroscope read.
//
// The four sample types are alloc_objects, alloc_space, inuse_objects, inuse_space, in this order;
// values are unbiased estimates of the whole process; space is requested bytes; the label "bytes"
// is the allocated size of each object. Addresses lie inside the call instruction, since readers of
// profile.proto look them up as they are; those of the text are return addresses, since readers of
// that step back.
// Pure but for the SymbolSource; thread-safe if that is.
#pragma once

#include <string>

#include "agent/model/snapshot.h"
#include "agent/model/symbol_source.h"

namespace liballoc::agent {

// Heap and allocs are the same figures; they differ in the default sample type. The peak's are of the
// time when the heap was at its highest: alloc values are the inuse values.
enum class ProfileKind { kHeap, kAllocs, kPeakHeap };

struct ProfileOptions {
  bool symbolize = true;
  int debug = 0;  // 0 = gzip-compressed profile.proto; above: the legacy text format
};

struct EncodedProfile {
  std::string bytes;
  std::string content_type;
  std::string filename;
};

// `symbols` may be null: a profile without symbols, complete in mappings and build ids.
[[nodiscard]] EncodedProfile encode_profile(const Snapshot& snapshot, ProfileKind kind,
                                            const ProfileOptions& options, SymbolSource* symbols);

// What happened between two snapshots of the same process: after - before. inuse values can be
// negative. Always binary: the legacy text cannot say this, so options.debug is of no effect.
[[nodiscard]] EncodedProfile encode_delta(const Snapshot& before, const Snapshot& after,
                                          ProfileKind kind, const ProfileOptions& options,
                                          SymbolSource* symbols);

}  // namespace liballoc::agent
