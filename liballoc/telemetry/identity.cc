// identity.cc - see identity.h.
#include "liballoc/telemetry/identity.h"

#include <sys/auxv.h>
#include <time.h>

#include <cstring>

#include "liballoc/os/os.h"
#include "liballoc/telemetry/file_calls.h"

namespace liballoc {

namespace {

// What one read of the file gives; 0 when it cannot be read. Files of /proc of which the kernel makes the text whole give all
// that there is room for.
size_t read_once(const char* path, char* to, size_t bytes) {
  const long fd = sys::open_at(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return 0;
  const long n = sys::read_fd(static_cast<int>(fd), to, bytes);
  sys::close_fd(static_cast<int>(fd));
  return n > 0 ? static_cast<size_t>(n) : 0;
}

void copy_text(const char* from, size_t length, char* out, size_t out_bytes) {
  if (length > out_bytes - 1) length = out_bytes - 1;
  memcpy(out, from, length);
  out[length] = '\0';
}

bool lists_controller(const char* list, size_t length, const char* name) {
  const size_t name_length = strlen(name);
  for (size_t at = 0; at < length;) {
    const auto* comma = static_cast<const char*>(memchr(list + at, ',', length - at));
    const size_t end = comma == nullptr ? length : static_cast<size_t>(comma - list);
    if (end - at == name_length && memcmp(list + at, name, name_length) == 0) return true;
    at = end + 1;
  }
  return false;
}

const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

}  // namespace

uint64_t parse_start_ticks(const char* stat, size_t bytes) {
  const auto* const bracket = static_cast<const char*>(memrchr(stat, ')', bytes));
  if (bracket == nullptr) return 0;
  const char* const end = stat + bytes;
  const char* at = bracket + 1;
  // Behind the bracket: " " field 3 " " field 4 ... field 22.
  for (int field = 3; field <= 22; field++) {
    if (at == end || *at != ' ') return 0;
    at++;
    if (field == 22) break;
    while (at != end && *at != ' ') at++;
  }
  uint64_t ticks = 0;
  const char* const first = at;
  for (; at != end && *at >= '0' && *at <= '9'; at++)
    ticks = ticks * 10 + static_cast<uint64_t>(*at - '0');
  return at == first ? 0 : ticks;
}

void parse_cgroup(const char* text, size_t bytes, char* out, size_t out_bytes) {
  const char* chosen = nullptr;
  size_t chosen_length = 0;
  int chosen_rank = 0;  // 3 unified, 2 memory controller, 1 any
  for (size_t at = 0; at < bytes;) {
    const char* const line = text + at;
    const auto* newline = static_cast<const char*>(memchr(line, '\n', bytes - at));
    const size_t length = newline == nullptr ? bytes - at : static_cast<size_t>(newline - line);
    at += length + 1;
    // "hierarchy:controller,controller:path"
    const auto* const colon = static_cast<const char*>(memchr(line, ':', length));
    if (colon == nullptr) continue;
    const char* const controllers = colon + 1;
    const size_t rest = length - static_cast<size_t>(controllers - line);
    const auto* const second = static_cast<const char*>(memchr(controllers, ':', rest));
    if (second == nullptr) continue;
    const size_t controllers_length = static_cast<size_t>(second - controllers);
    int rank = 1;
    if (controllers_length == 0 && colon - line == 1 && *line == '0')
      rank = 3;
    else if (lists_controller(controllers, controllers_length, "memory"))
      rank = 2;
    if (rank <= chosen_rank) continue;
    chosen_rank = rank;
    chosen = second + 1;
    chosen_length = rest - controllers_length - 1;
  }
  if (chosen == nullptr)
    out[0] = '\0';
  else
    copy_text(chosen, chosen_length, out, out_bytes);
}

size_t copy_arguments(const char* const* words, size_t count, char* out, size_t out_bytes) {
  size_t used = 0;
  for (size_t i = 0; i < count && words[i] != nullptr && used < out_bytes; i++) {
    const size_t wanted = strlen(words[i]) + 1, room = out_bytes - used;
    const size_t taken = wanted < room ? wanted : room;
    memcpy(out + used, words[i], taken);
    used += taken;
  }
  return used;
}

uint64_t own_start_ticks(char* scratch) {
  return parse_start_ticks(scratch, read_once("/proc/self/stat", scratch, kIdentityScratchBytes));
}

uint64_t start_realtime_ns(uint64_t start_ticks, uint64_t now_realtime_ns) {
  const uint64_t ticks_per_second = getauxval(AT_CLKTCK);
  timespec since_boot{};
  if (start_ticks == 0 || ticks_per_second == 0 || sys::clock_now(CLOCK_BOOTTIME, &since_boot) < 0)
    return 0;
  const uint64_t boot_ns = static_cast<uint64_t>(since_boot.tv_sec) * 1000000000u +
                           static_cast<uint64_t>(since_boot.tv_nsec);
  const uint64_t start_ns = start_ticks / ticks_per_second * 1000000000u +
                            start_ticks % ticks_per_second * 1000000000u / ticks_per_second;
  return now_realtime_ns - (boot_ns > start_ns ? boot_ns - start_ns : 0);
}

uint32_t own_pid_namespace() {
  struct stat st {};
  return sys::stat_path("/proc/self/ns/pid", &st) < 0 ? 0 : static_cast<uint32_t>(st.st_ino);
}

void fill_identity(const char* service, const char* const* arguments, size_t argument_count, char* scratch,
                   liballoc_abi_identity* out) {
  const long link = sys::read_link("/proc/self/exe", out->executable, sizeof(out->executable) - 1);
  out->executable[link > 0 ? link : 0] = '\0';
  constexpr size_t kCommandRoom = sizeof(out->command_line) - 1;
  size_t command = arguments != nullptr ? copy_arguments(arguments, argument_count, out->command_line, kCommandRoom)
                                        : read_once("/proc/self/cmdline", out->command_line, kCommandRoom);
  while (command > 0 && out->command_line[command - 1] == '\0')
    command--;  // the last word's NUL ends the line
  out->command_line[command] = '\0';
  out->command_line_bytes = static_cast<uint32_t>(command);
  const char* const name =
      service != nullptr && *service != '\0' ? service : base_name(out->executable);
  copy_text(name, strlen(name), out->service, sizeof(out->service));
  const size_t cgroup = read_once("/proc/self/cgroup", scratch, kIdentityScratchBytes);
  parse_cgroup(scratch, cgroup, out->cgroup, sizeof(out->cgroup));
  copy_text(LIBALLOC_VERSION, sizeof(LIBALLOC_VERSION) - 1, out->version, sizeof(out->version));
  struct utsname host {};
  if (sys::host_names(&host) == 0) {
    copy_text(host.nodename, strnlen(host.nodename, sizeof(host.nodename)), out->hostname,
              sizeof(out->hostname));
  }
}

}  // namespace liballoc
