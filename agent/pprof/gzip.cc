// gzip.cc - see gzip.h.
#include "agent/pprof/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace liballoc::agent {

std::string gzip_compress(std::string_view bytes) {
  constexpr int kGzipWindow = 15 + 16;  // largest window; 16 asks for the gzip header
  constexpr int kMemoryLevel = 8;
  constexpr size_t kChunk = 64 * 1024;
  z_stream stream = {};
  // Level 1: profiles are scraped often and level 6 costs three times the time for a tenth of the
  // bytes.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::string out;
  size_t read = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0 && read < bytes.size()) {
      const size_t n = std::min<size_t>(bytes.size() - read, std::numeric_limits<uInt>::max());
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + read));
      stream.avail_in = static_cast<uInt>(n);
      read += n;
    }
    const size_t written = out.size();
    out.resize(written + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = kChunk;
    status = deflate(&stream, read == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    out.resize(written + kChunk - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

}  // namespace liballoc::agent
