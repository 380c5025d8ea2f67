// config.cc - see config.h.
#include "liballoc/core/config.h"

#include <cstddef>
#include <cstring>

#include "liballoc/base/check.h"

namespace liballoc {

namespace {

constexpr char kPrefix[] = "LIBALLOC_";

using Complain = void (*)(const char* line);

void complain_about(Complain complain, const char* name, const char* value, const char* problem) {
  LineBuffer line;
  line.text("liballoc: ").text(name).text("=").text(value, strnlen(value, 100)).text(": ").text(problem);
  line.text("; ignored");
  char text[512];
  memcpy(text, line.data(), line.size());
  text[line.size()] = '\0';
  complain(text);
}

bool parse_bool(const char* value, bool* out) {
  if ((value[0] != '0' && value[0] != '1') || value[1] != '\0') return false;
  *out = value[0] == '1';
  return true;
}

// Digits, then at most one of K, M, G (binary).
bool parse_bytes(const char* value, uint64_t* out) {
  uint64_t n = 0;
  const char* p = value;
  if (*p < '0' || *p > '9') return false;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (__builtin_mul_overflow(n, uint64_t{10}, &n) || __builtin_add_overflow(n, uint64_t(*p - '0'), &n)) return false;
  }
  unsigned shift = 0;
  if (*p == 'K' || *p == 'k') shift = 10;
  else if (*p == 'M' || *p == 'm') shift = 20;
  else if (*p == 'G' || *p == 'g') shift = 30;
  if (shift != 0) p++;
  if (*p != '\0' || (n << shift) >> shift != n) return false;
  *out = n << shift;
  return true;
}

template <size_t N>
bool copy_string(const char* value, char (&out)[N]) {
  const size_t n = strlen(value);
  if (n >= N) return false;
  memcpy(out, value, n + 1);
  return true;
}

}  // namespace

void parse_config(const char* const* environment, Config* config, Complain complain) {
  if (environment == nullptr) return;
  for (; *environment != nullptr; environment++) {
    const char* entry = *environment;
    if (strncmp(entry, kPrefix, sizeof(kPrefix) - 1) != 0) continue;
    const char* equals = strchr(entry, '=');
    if (equals == nullptr) continue;
    char name[64];
    const size_t name_bytes = static_cast<size_t>(equals - entry);
    if (name_bytes >= sizeof(name)) {
      complain_about(complain, "LIBALLOC_...", equals + 1, "unknown variable");
      continue;
    }
    memcpy(name, entry, name_bytes);
    name[name_bytes] = '\0';
    const char* value = equals + 1;
    const auto is = [&](const char* what) { return strcmp(name + sizeof(kPrefix) - 1, what) == 0; };
    constexpr const char* kBool = "must be 0 or 1";
    constexpr const char* kBytes = "must be a number of bytes, K, M or G may follow";
    if (is("TELEMETRY")) {
      if (!parse_bool(value, &config->telemetry)) complain_about(complain, name, value, kBool);
    } else if (is("KEEP_SEGMENT")) {
      if (!parse_bool(value, &config->keep_segment)) complain_about(complain, name, value, kBool);
    } else if (is("VERBOSE")) {
      if (!parse_bool(value, &config->verbose)) complain_about(complain, name, value, kBool);
    } else if (is("SCAVENGE_THREAD")) {
      if (!parse_bool(value, &config->scavenge_thread)) complain_about(complain, name, value, kBool);
    } else if (is("SBRK")) {
      if (!parse_bool(value, &config->sbrk)) complain_about(complain, name, value, kBool);
    } else if (is("CHECK")) {
      if (!parse_bool(value, &config->check)) complain_about(complain, name, value, kBool);
    } else if (is("SAMPLE_RATE")) {
      if (!parse_bytes(value, &config->sample_rate)) complain_about(complain, name, value, kBytes);
    } else if (is("SOFT_LIMIT")) {
      if (!parse_bytes(value, &config->soft_limit)) complain_about(complain, name, value, kBytes);
    } else if (is("SHM_DIR")) {
      if (value[0] != '/' || !copy_string(value, config->shm_dir)) {
        complain_about(complain, name, value, "must be an absolute path of at most 255 bytes");
      }
    } else if (is("SERVICE")) {
      if (!copy_string(value, config->service)) complain_about(complain, name, value, "must be at most 127 bytes");
    } else if (!is("AGENT")) {  // LIBALLOC_AGENT is allocctl's
      complain_about(complain, name, value,
                     "unknown variable, known are LIBALLOC_TELEMETRY, SHM_DIR, SAMPLE_RATE, SERVICE, SOFT_LIMIT, "
                     "KEEP_SEGMENT, VERBOSE, SBRK, SCAVENGE_THREAD, CHECK");
    }
  }
}

}  // namespace liballoc
