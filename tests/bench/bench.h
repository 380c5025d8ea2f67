// bench.h - what every workload program shares: its parameters, random numbers, checked objects, the checksum.
// A workload does a fixed amount of work and must print the same checksum whatever the allocator and the timing.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>
#include <vector>

namespace liballoc::bench {

struct Parameter {
  const char* name;  // without the leading --
  std::uint64_t value;
  std::uint64_t min;
  std::uint64_t max;
};

// The parameters of a workload: defaults, changed by "--name number" on the command line. A wrong one ends the program.
// Every program also has --percent: how much of its usual work to do.
class Parameters {
 public:
  Parameters(int argc, char** argv, std::initializer_list<Parameter> known) : known_(known) {
    known_.push_back({"percent", 100, 1, 10000});
    for (int i = 1; i < argc; i += 2) set(argv[i], i + 1 < argc ? argv[i + 1] : nullptr);
  }

  std::uint64_t operator[](const char* name) const {
    for (const Parameter& p : known_)
      if (std::strcmp(p.name, name) == 0) return p.value;
    std::fprintf(stderr, "the program asks for a parameter '%s' that it has not declared\n", name);
    std::abort();
  }

  // `full` units of work at 100 percent; at least `least`.
  std::uint64_t work(std::uint64_t full, std::uint64_t least = 1) const {
    const std::uint64_t scaled = full * (*this)["percent"] / 100;
    return scaled < least ? least : scaled;
  }

 private:
  [[noreturn]] void usage(const char* wrong, const char* why) const {
    std::fprintf(stderr, "error: '%s' %s; allowed:", wrong, why);
    for (const Parameter& p : known_)
      std::fprintf(stderr, " --%s %llu..%llu (now %llu)", p.name,
                   static_cast<unsigned long long>(p.min), static_cast<unsigned long long>(p.max),
                   static_cast<unsigned long long>(p.value));
    std::fputc('\n', stderr);
    std::exit(2);
  }

  void set(const char* option, const char* text) {
    for (Parameter& p : known_) {
      if (std::strncmp(option, "--", 2) != 0 || std::strcmp(option + 2, p.name) != 0) continue;
      if (text == nullptr) usage(option, "needs a number");
      char* end = nullptr;
      const unsigned long long value = std::strtoull(text, &end, 10);
      if (end == text || *end != '\0' || *text == '-' || value < p.min || value > p.max)
        usage(text, "is not a number in the range of its parameter");
      p.value = value;
      return;
    }
    usage(option, "is not a parameter");
  }

  std::vector<Parameter> known_;
};

// xorshift64: one word of state, a handful of instructions, so that the allocator is what is measured.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x1234567u) {
    for (int i = 0; i < 4; ++i) next();
  }
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // 0 .. n-1, for n below 2^32.
  std::uint32_t below(std::uint64_t n) {
    return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32);
  }
  // min .. max, each doubling of the size as likely as any other; both powers of two.
  std::size_t log_uniform(std::size_t min, std::size_t max) {
    const int doublings = __builtin_ctzll(max) - __builtin_ctzll(min);
    const std::size_t base = min << below(static_cast<std::uint64_t>(doublings));
    return base + below(base) + 1;
  }

 private:
  std::uint64_t state_;
};

[[noreturn]] inline void corrupt(const void* object, std::size_t size) {
  std::fprintf(stderr, "error: the object of %zu bytes at %p has not kept its contents\n", size, object);
  std::abort();
}

[[noreturn]] inline void out_of_memory(std::size_t size) {
  std::fprintf(stderr, "error: no memory for an object of %zu bytes\n", size);
  std::abort();
}

// Marks an object by its first word, where it has one, and its last byte, as a program would have used it.
inline void stamp(void* object, std::size_t size, std::uint64_t tag) {
  if (object == nullptr) out_of_memory(size);
  if (size > 8) std::memcpy(object, &tag, 8);
  static_cast<unsigned char*>(object)[size - 1] = static_cast<unsigned char>(tag);
}

// Checks the marks and ends the program when they are gone.
inline void check_stamp(const void* object, std::size_t size, std::uint64_t tag) {
  std::uint64_t first = tag;
  if (size > 8) std::memcpy(&first, object, 8);
  if (first != tag || static_cast<const unsigned char*>(object)[size - 1] != static_cast<unsigned char>(tag))
    corrupt(object, size);
}

// Mixes a value into a sum that does not depend on the order of the values.
inline std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

// Keeps the compiler from proving that an allocation is not needed.
inline void keep(void* object) { asm volatile("" : : "g"(object) : "memory"); }

// Runs body(0) .. body(n-1), each in a thread of its own.
template <typename Body>
void run_threads(std::uint64_t n, Body body) {
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < n; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

inline int finish(std::uint64_t sum) {
  std::printf("checksum %016llx\n", static_cast<unsigned long long>(sum));
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace liballoc::bench
