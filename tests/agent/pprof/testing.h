// testing.h - snapshots, symbols, a decoder and commands for the pprof tests. Test code only.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/model/symbol_source.h"
#include "profile.pb.h"

namespace liballoc::agent {

inline constexpr uint64_t kPeriod = 512 * 1024;
inline constexpr uint64_t kAppStart = 0x400000, kAppEnd = 0x500000;
inline constexpr uint64_t kLibStart = 0x7f0000000000, kLibEnd = 0x7f0000100000;
inline constexpr uint64_t kAllocStart = 0x7f1000000000, kAllocEnd = 0x7f1000100000;

// A program, a library and the allocator, and no stacks.
inline Snapshot make_snapshot() {
  Snapshot s;
  s.identity.key = "liballoc.42.77";
  s.identity.pid = 42;
  s.identity.executable = "/opt/shop/bin/shop";
  s.identity.service = "shop";
  s.time_unix_ns = 1'700'000'000'000'000'000;
  s.memstats.sample_period = kPeriod;
  s.memstats.epoch = 9;
  s.health.dropped_records = 3;
  Module lib, app, alloc;
  lib.start = kLibStart;
  lib.end = kLibEnd;
  lib.file_offset = 0x1000;
  lib.path = "/usr/lib/libshop.so.1";
  lib.build_id = "aabbcc";
  app.start = kAppStart;
  app.end = kAppEnd;
  app.file_offset = 0x2000;
  app.path = s.identity.executable;
  app.build_id = "0123456789abcdef";
  alloc.start = kAllocStart;
  alloc.end = kAllocEnd;
  alloc.path = "/usr/lib/liballoc.so";
  alloc.build_id = "ddeeff";
  s.modules = {lib, app, alloc};  // the program is not first: the encoder must find it
  return s;
}

struct BucketSpec {
  std::vector<uint64_t> pcs;
  uint64_t allocated_bytes, requested_bytes, allocs, frees;
  uint64_t period = kPeriod;
};

inline void add_bucket(Snapshot& s, const BucketSpec& spec) {
  Bucket b;
  b.stack = static_cast<uint32_t>(s.stacks.size());
  b.allocated_bytes = spec.allocated_bytes;
  b.period = spec.period;
  b.allocs = spec.allocs;
  b.alloc_requested = spec.allocs * spec.requested_bytes;
  b.frees = spec.frees;
  b.free_requested = spec.frees * spec.requested_bytes;
  s.stacks.push_back({spec.pcs, false});
  s.buckets.push_back(b);
}

// Knows the frames of exactly the call addresses (return address - 1) it was told.
class MapSymbols final : public SymbolSource {
 public:
  std::vector<SourceFrame> lookup(const Module&, uint64_t address) override {
    ++lookups;
    const auto it = frames.find(address);
    return it == frames.end() ? std::vector<SourceFrame>{} : it->second;
  }
  void add(uint64_t return_address, std::vector<SourceFrame> f) {
    frames[return_address - 1] = std::move(f);
  }
  std::map<uint64_t, std::vector<SourceFrame>> frames;
  int lookups = 0;
};

inline std::string gunzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);  // 16: gzip only
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK) {
    std::array<char, 65536> chunk;
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  EXPECT_EQ(status, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0u) << "bytes behind the gzip member";
  inflateEnd(&stream);
  return out;
}

using test::pprof::Profile;

inline Profile decode(const std::string& gzipped) {
  Profile p;
  EXPECT_TRUE(p.ParseFromString(gunzip(gzipped)));
  return p;
}

inline const std::string& text(const Profile& p, int64_t index) {
  static const std::string kBad = "<index out of range>";
  if (index < 0 || index >= p.string_table_size()) return kBad;
  return p.string_table(static_cast<int>(index));
}

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "liballoc-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

 private:
  std::string path_;
};

// Standard output of a shell command; the test fails when it fails.
inline std::string run(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return "";
  }
  std::string out;
  std::array<char, 4096> chunk;
  size_t n = 0;
  while ((n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0) out.append(chunk.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << out;
  return out;
}

}  // namespace liballoc::agent
