// segment_name.cc - see segment_name.h.
#include "liballoc/telemetry/segment_name.h"

#include <cstring>

#include "liballoc/telemetry_abi.h"

namespace liballoc {

namespace {

class PathWriter {
 public:
  PathWriter(char* out, size_t bytes) : out_(out), left_(bytes) {}
  PathWriter& text(const char* s) {
    const size_t n = strlen(s);
    if (n >= left_) {  // one byte stays for the NUL
      fits_ = false;
      return *this;
    }
    memcpy(out_, s, n + 1);
    out_ += n;
    left_ -= n;
    return *this;
  }
  PathWriter& dec(uint64_t n) {
    char digits[21];
    char* at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
      *--at = static_cast<char>('0' + n % 10);
      n /= 10;
    } while (n != 0);
    return text(at);
  }
  bool fits() const { return fits_; }

 private:
  char* out_;
  size_t left_;
  bool fits_ = true;
};

// Decimal without sign or leading zero, up to `max`; advances *at behind it.
bool parse_dec(const char** at, uint64_t max, uint64_t* out) {
  const char* p = *at;
  if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9')) return false;
  uint64_t value = 0;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return false;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(*p - '0'), &value)) return false;
  }
  if (value > max) return false;
  *at = p;
  *out = value;
  return true;
}

}  // namespace

bool format_segment_path(const char* dir, const SegmentName& name, char* out, size_t out_bytes) {
  PathWriter path(out, out_bytes);
  path.text(dir).text("/" LIBALLOC_ABI_FILE_PREFIX).dec(name.pid).text(".").dec(name.start_ticks);
  if (name.suffix != 0) path.text(".").dec(name.suffix);
  return path.fits();
}

bool join_path(const char* dir, const char* file_name, char* out, size_t out_bytes) {
  return PathWriter(out, out_bytes).text(dir).text("/").text(file_name).fits();
}

bool parse_segment_name(const char* file_name, SegmentName* out) {
  constexpr size_t kPrefixBytes = sizeof(LIBALLOC_ABI_FILE_PREFIX) - 1;
  if (strncmp(file_name, LIBALLOC_ABI_FILE_PREFIX, kPrefixBytes) != 0) return false;
  const char* at = file_name + kPrefixBytes;
  uint64_t pid = 0, ticks = 0, suffix = 0;
  if (!parse_dec(&at, INT32_MAX, &pid) || pid == 0 || *at++ != '.') return false;
  if (!parse_dec(&at, UINT64_MAX, &ticks)) return false;
  if (*at == '.') {
    at++;
    if (!parse_dec(&at, kMaxSegmentSuffix, &suffix) || suffix == 0) return false;
  }
  if (*at != '\0') return false;
  *out = {static_cast<uint32_t>(pid), ticks, static_cast<unsigned>(suffix)};
  return true;
}

}  // namespace liballoc
