// byte_source.h - where a segment's bytes come from: a file, or memory in tests and fuzzers.
//
// A source must never return fewer bytes than asked for: it fails instead.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "agent/reader/bytes_view.h"
#include "agent/reader/reject.h"

namespace liballoc::agent {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Size now; it can change between calls.
  virtual ReadResult<uint64_t> size() const = 0;
  virtual ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const uint8_t> bytes) : view_(bytes) {}
  ReadResult<uint64_t> size() const override { return view_.size(); }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    const auto part = view_.sub(offset, out.size());
    if (!part || !part->copy_to(out)) {
      return reject(Reject::kReadFailed, "offset " + std::to_string(offset) + " is past the end");
    }
    return {};
  }

 private:
  BytesView view_;
};

}  // namespace liballoc::agent
