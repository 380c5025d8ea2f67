// gzip.h - one gzip member around a string. Must never depend on what the bytes are.
#pragma once

#include <string>
#include <string_view>

namespace liballoc::agent {

// `bytes` as a gzip file, the same for the same input (no time, no name in the header).
// Throws std::bad_alloc when zlib has no memory, as any string operation does.
[[nodiscard]] std::string gzip_compress(std::string_view bytes);

}  // namespace liballoc::agent
