// mini_debug_info.cc - see mini_debug_info.h.
#include "agent/symbolize/mini_debug_info.h"

#include <lzma.h>

#include "agent/symbolize/limits.h"

namespace liballoc::agent {

std::string read_mini_debug_info(const ElfImage& image) {
  constexpr size_t kChunk = 64 * 1024;
  Elf_Scn* scn = image.section(".gnu_debugdata");
  Elf_Data* data = scn == nullptr ? nullptr : elf_rawdata(scn, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return "";
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMaxMiniDebugBytes, 0) != LZMA_OK) return "";
  stream.next_in = static_cast<const uint8_t*>(data->d_buf);
  stream.avail_in = data->d_size;
  std::string out;
  lzma_ret status = LZMA_OK;
  while (status == LZMA_OK && out.size() < kMaxMiniDebugBytes) {
    const size_t written = out.size();
    out.resize(written + kChunk);
    stream.next_out = reinterpret_cast<uint8_t*>(out.data() + written);
    stream.avail_out = kChunk;
    status = lzma_code(&stream, LZMA_FINISH);
    out.resize(written + kChunk - stream.avail_out);
  }
  lzma_end(&stream);
  return status == LZMA_STREAM_END ? out : "";
}

}  // namespace liballoc::agent
