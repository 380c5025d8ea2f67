// malloc_info_test.cc - mallinfo and its kin against what the test itself knows: differences between two rest points, sums, and
// what goes back to the system. This process runs on liballoc.a.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/liballoc/api/xml_reader.h"

namespace {

struct Held {
  uint64_t small_bytes = 0, large_bytes = 0, large_objects = 0;
  void add(void* p) {
    const size_t usable = malloc_usable_size(p);
    if (usable > 32768) {
      large_bytes += usable;
      large_objects++;
    } else {
      small_bytes += usable;
    }
  }
};

// Room for pointers that is not from malloc, so that keeping count does not change what is counted.
constexpr size_t kMost = 20000;
std::array<void*, kMost> g_objects;

// The object the n-th step of a fixed sequence makes, by every function that makes one.
void* make_object(size_t n, std::mt19937& random) {
  const size_t bytes = n % 23 == 0 ? 40000 + random() % 300000 : 1 + random() % 6000;
  switch (n % 5) {
    case 0: return calloc(1, bytes);
    case 1: return realloc(malloc(bytes / 2 + 1), bytes);
    case 2: return aligned_alloc(64, bytes);
    default: return malloc(bytes);
  }
}

void expect_difference(const struct mallinfo2& before, const struct mallinfo2& after, const Held& held) {
  EXPECT_EQ(after.uordblks - before.uordblks, held.small_bytes);
  EXPECT_EQ(after.hblkhd - before.hblkhd, held.large_bytes);
  EXPECT_EQ(after.hblks - before.hblks, held.large_objects);
}

TEST(Mallinfo2Test, DifferencesBetweenTwoRestPointsAreWhatTheProgramHolds) {
  const struct mallinfo2 before = mallinfo2();
  std::mt19937 random(1);
  Held held;
  for (size_t i = 0; i < 3000; i++) held.add(g_objects[i] = make_object(i, random));
  expect_difference(before, mallinfo2(), held);
  for (size_t i = 0; i < 3000; i++) free(g_objects[i]);
  expect_difference(before, mallinfo2(), Held{});
}

TEST(Mallinfo2Test, AnInPlaceChangeOfLengthCountsTheDifference) {
  const struct mallinfo2 before = mallinfo2();
  void* p = malloc(3 << 20);
  for (const size_t bytes : {size_t{1} << 20, size_t{200000}, size_t{2500000}, size_t{50000}, size_t{3} << 20}) {
    p = realloc(p, bytes);
    Held held;
    held.add(p);
    expect_difference(before, mallinfo2(), held);
  }
  free(p);
  expect_difference(before, mallinfo2(), Held{});
}

TEST(Mallinfo2Test, ObjectsOfOtherThreadsCountWhetherTheThreadsLiveOrNot) {
  std::thread([] {}).join();  // what libc makes for the first thread
  const struct mallinfo2 before = mallinfo2();
  constexpr size_t kThreads = 8, kEach = kMost / kThreads;
  std::array<Held, kThreads> held;
  {
    std::array<std::thread, kThreads> threads;
    for (size_t t = 0; t < kThreads; t++) {
      threads[t] = std::thread([t, &held] {
        std::mt19937 random(static_cast<unsigned>(t));
        for (size_t i = 0; i < kEach; i++) held[t].add(g_objects[t * kEach + i] = make_object(i, random));
      });
    }
    for (std::thread& t : threads) t.join();
  }
  Held all;
  for (const Held& h : held) {
    all.small_bytes += h.small_bytes;
    all.large_bytes += h.large_bytes;
    all.large_objects += h.large_objects;
  }
  const struct mallinfo2 after = mallinfo2();
  EXPECT_EQ(after.hblkhd - before.hblkhd, all.large_bytes);
  EXPECT_EQ(after.hblks - before.hblks, all.large_objects);
  // libc keeps thread-local vectors and stacks' records of its own: a few objects.
  EXPECT_NEAR(static_cast<double>(after.uordblks - before.uordblks), static_cast<double>(all.small_bytes), 4096);
  std::thread([] { for (void* p : g_objects) free(p); }).join();  // by another thread than made them
  EXPECT_NEAR(static_cast<double>(mallinfo2().uordblks), static_cast<double>(before.uordblks), 4096);
  EXPECT_EQ(mallinfo2().hblkhd, before.hblkhd);
}

TEST(Mallinfo2Test, PartsAddUp) {
  void* p = malloc(100000);
  const struct mallinfo2 info = mallinfo2();
  EXPECT_EQ(info.arena, info.uordblks + info.fordblks);
  EXPECT_LE(info.fsmblks, info.fordblks);
  EXPECT_LE(info.keepcost, info.fordblks);
  EXPECT_EQ(info.usmblks, 0u);
  free(p);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // mallinfo is, in favour of mallinfo2
TEST(MallinfoTest, IntFieldsSayTheSameOrTheLargestInt) {
  const struct mallinfo2 wide = mallinfo2();
  const struct mallinfo narrow = mallinfo();
  EXPECT_EQ(static_cast<size_t>(narrow.uordblks), wide.uordblks);
  EXPECT_EQ(static_cast<size_t>(narrow.hblkhd), wide.hblkhd);
  void* p = malloc(size_t{5} << 30);  // never touched
  ASSERT_NE(p, nullptr);
  EXPECT_GE(mallinfo2().hblkhd, size_t{5} << 30);
  EXPECT_EQ(mallinfo().hblkhd, INT_MAX) << "never a wrapped number";
  free(p);
}
#pragma GCC diagnostic pop

TEST(MallinfoTest, FiguresMayBeTakenWhileThreadsAllocateAndCome) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; t++) {
    threads.emplace_back([t, &stop] {
      std::mt19937 random(t);
      std::array<void*, 64> own{};
      while (!stop.load()) {
        void*& slot = own[random() % own.size()];
        free(slot);
        slot = make_object(random(), random);
        if (random() % 512 == 0) std::thread([] { free(malloc(100)); }).join();
      }
      for (void* p : own) free(p);
    });
  }
  for (int i = 0; i < 400; i++) {
    const struct mallinfo2 info = mallinfo2();
    ASSERT_LT(info.uordblks, size_t{1} << 40) << "no sum went below zero";
    ASSERT_LT(info.hblkhd, size_t{1} << 40);
    ASSERT_LT(info.arena, size_t{1} << 40);
    if (i % 50 == 0) malloc_trim(0);
  }
  stop = true;
  for (std::thread& t : threads) t.join();
}

// Without stdio, which would allocate.
size_t resident_bytes() {
  std::array<char, 256> text{};
  const int fd = open("/proc/self/statm", O_RDONLY);
  const ssize_t n = read(fd, text.data(), text.size() - 1);
  close(fd);
  EXPECT_GT(n, 0);
  char* end = nullptr;
  strtoul(text.data(), &end, 10);
  return strtoul(end, nullptr, 10) * static_cast<size_t>(getpagesize());
}

TEST(MallocTrimTest, IdleMemoryGoesBackToTheSystem) {
  constexpr size_t kBytes = size_t{64} << 20;
  malloc_trim(0);
  const size_t before = resident_bytes();
  void* large = malloc(kBytes);
  memset(large, 1, kBytes);
  for (size_t i = 0; i < kMost; i++) memset(g_objects[i] = malloc(2000), 1, 2000);
  const size_t held = resident_bytes();
  ASSERT_GE(held, before + kBytes + kMost * 2000);
  free(large);
  for (void* p : g_objects) free(p);
  EXPECT_EQ(malloc_trim(0), 1);
  EXPECT_LT(resident_bytes(), held - kBytes - kMost * 2000 * 9 / 10);
  EXPECT_EQ(mallinfo2().keepcost, 0u);
  EXPECT_EQ(malloc_trim(0), 0) << "there is no more to give back";
}

TEST(MallocTrimTest, ThePadStays) {
  void* guard = malloc(100000);
  for (int i = 0; i < 40; i++) g_objects[static_cast<size_t>(i)] = malloc(2 << 20);
  for (int i = 0; i < 40; i += 2) free(g_objects[static_cast<size_t>(i)]);  // idle spans of 2 MiB, apart from each other
  malloc_trim(size_t{20} << 20);
  const size_t kept = mallinfo2().keepcost;
  EXPECT_LE(kept, size_t{20} << 20);
  EXPECT_GE(kept, size_t{18} << 20) << "but for one span, which goes whole";
  malloc_trim(0);
  for (int i = 1; i < 40; i += 2) free(g_objects[static_cast<size_t>(i)]);
  free(guard);
}

TEST(MallocTrimTest, TheThreadGoesOnAllocatingAfterwards) {
  for (int round = 0; round < 50; round++) {
    std::array<char*, 100> own;
    for (size_t i = 0; i < own.size(); i++) {
      own[i] = static_cast<char*>(malloc(50 + i * 10));
      memset(own[i], static_cast<int>(i), 50 + i * 10);
    }
    malloc_trim(0);
    for (size_t i = 0; i < own.size(); i++) {
      ASSERT_EQ(own[i][49 + i * 10], static_cast<char>(i));
      free(own[i]);
    }
  }
}

// malloc_info with a buffer that is not from malloc: taking the figures does not change them.
std::string malloc_info_text() {
  static std::array<char, 65536> text;
  static std::array<char, 65536> buffer;
  FILE* f = fmemopen(text.data(), text.size(), "w");
  setvbuf(f, buffer.data(), _IOFBF, buffer.size());
  EXPECT_EQ(malloc_info(0, f), 0);
  fclose(f);
  return text.data();
}

const Element* find(const std::vector<Element>& all, const std::string& path, const char* type) {
  for (const Element& e : all) {
    if (e.path == path && (type == nullptr || e.attributes.at("type") == type)) return &e;
  }
  return nullptr;
}

uint64_t size_of(const std::vector<Element>& all, const std::string& path, const char* type) {
  const Element* e = find(all, path, type);
  EXPECT_NE(e, nullptr) << path << " " << type;
  return e != nullptr ? e->number("size") : 0;
}

TEST(MallocInfoTest, WritesWellFormedXmlWithTheRightSums) {
  std::mt19937 random(4);
  for (size_t i = 0; i < 2000; i++) g_objects[i] = make_object(i, random);
  for (size_t i = 0; i < 2000; i += 3) {
    free(g_objects[i]);
    g_objects[i] = nullptr;
  }
  const std::string text = malloc_info_text();
  std::vector<Element> all;
  ASSERT_TRUE(parse_xml(text, &all)) << text;
  EXPECT_EQ(all[0].path, "/malloc");
  EXPECT_EQ(all[0].attributes.at("version"), "1");
  // The classes add up to what lives, objects and bytes.
  const Element* live = find(all, "/malloc/liballoc/total", "live");
  ASSERT_NE(live, nullptr);
  uint64_t objects = 0, small_bytes = 0;
  for (const Element& e : all) {
    if (e.path != "/malloc/liballoc/classes/class") continue;
    EXPECT_EQ(e.number("mallocs") - e.number("frees"), e.number("live"));
    objects += e.number("live");
    small_bytes += e.number("live") * e.number("size");  // 0 for large objects
  }
  EXPECT_EQ(objects, live->number("count"));
  EXPECT_EQ(small_bytes + size_of(all, "/malloc/total", "mmap"), live->number("size"));
  // Free chunks add up to the rest; free, cached and live memory to all there is.
  uint64_t chunks = 0, chunk_bytes = 0;
  for (const Element& e : all) {
    if (e.path != "/malloc/heap/sizes/size") continue;
    chunks += e.number("count");
    chunk_bytes += e.number("total");
    EXPECT_LE(e.number("from") * e.number("count"), e.number("total"));
    EXPECT_GE(e.number("to") * e.number("count"), e.number("total"));
  }
  const Element* rest = find(all, "/malloc/heap/total", "rest");
  ASSERT_NE(rest, nullptr);
  EXPECT_EQ(chunks, rest->number("count"));
  EXPECT_EQ(chunk_bytes, rest->number("size"));
  const uint64_t system = size_of(all, "/malloc/system", "max");
  EXPECT_EQ(size_of(all, "/malloc/total", "fast") + rest->number("size") + live->number("size"), system);
  EXPECT_EQ(size_of(all, "/malloc/system", "current"), system - size_of(all, "/malloc/liballoc/heap", "released"));
  EXPECT_EQ(size_of(all, "/malloc/liballoc/heap", "inuse") + size_of(all, "/malloc/liballoc/heap", "idle"), system);
  EXPECT_GT(size_of(all, "/malloc/liballoc/heap", "metadata"), 0u);
  EXPECT_GE(size_of(all, "/malloc/aspace", "total"), system);
  const Element* dumps = find(all, "/malloc/liballoc/dumps", nullptr);
  ASSERT_NE(dumps, nullptr);
  EXPECT_LE(dumps->number("refused"), dumps->number("changes"));
  uint64_t kept = 0;
  for (const char* kind : {"span", "tree node", "bitmap", "tiny table", "arena hint", "arena", "special", "thread cache"}) {
    const Element* e = find(all, "/malloc/liballoc/metadata", kind);
    ASSERT_NE(e, nullptr) << kind;
    EXPECT_EQ(e->number("count") == 0, e->number("size") == 0) << kind;
    kept += e->number("size");
  }
  const auto count = [&all](const char* kind) { return find(all, "/malloc/liballoc/metadata", kind)->number("count"); };
  EXPECT_EQ(count("span"), count("tree node")) << "each span comes with its node";
  EXPECT_GE(count("bitmap"), 1u);
  EXPECT_GE(count("arena"), 1u);
  EXPECT_GE(count("thread cache"), 1u);
  EXPECT_LE(kept, size_of(all, "/malloc/liballoc/heap", "metadata"));
  for (size_t i = 0; i < 2000; i++) free(g_objects[i]);
}

TEST(MallocInfoTest, RefusesOptionsAndTellsOfAFullDevice) {
  errno = 0;
  EXPECT_EQ(malloc_info(1, stderr), -1);
  EXPECT_EQ(errno, EINVAL);
  FILE* full = fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  setvbuf(full, nullptr, _IONBF, 0);
  EXPECT_EQ(malloc_info(0, full), -1);
  fclose(full);
}

TEST(MallocStatsTest, WritesToStandardErrorWithoutStdio) {
  void* p = malloc(1 << 20);
  std::array<int, 2> ends;
  ASSERT_EQ(pipe(ends.data()), 0);
  const int saved = dup(2);
  dup2(ends[1], 2);
  const struct mallinfo2 info = mallinfo2();
  malloc_stats();
  dup2(saved, 2);
  close(saved);
  close(ends[1]);
  static std::array<char, 4096> text;
  size_t size = 0;
  for (ssize_t n; (n = read(ends[0], text.data() + size, text.size() - 1 - size)) > 0;) size += static_cast<size_t>(n);
  close(ends[0]);
  text[size] = '\0';
  unsigned long system = 0, in_use = 0, total_system = 0, total_in_use = 0;
  ASSERT_EQ(sscanf(text.data(),
                   "Arena 0:\nsystem bytes     = %lu\nin use bytes     = %lu\n"
                   "Total (incl. mmap):\nsystem bytes     = %lu\nin use bytes     = %lu\n",
                   &system, &in_use, &total_system, &total_in_use),
            4)
      << text.data();
  EXPECT_EQ(system, info.arena);
  EXPECT_EQ(in_use, info.uordblks);
  EXPECT_EQ(total_system, info.arena + info.hblkhd);
  EXPECT_EQ(total_in_use, info.uordblks + info.hblkhd);
  free(p);
}

TEST(MalloptTest, AcceptsWhatGlibcAcceptsAndRefusesWhatIsNotDone) {
  EXPECT_EQ(mallopt(M_MXFAST, 0), 1);
  EXPECT_EQ(mallopt(M_MXFAST, 160), 1);
  EXPECT_EQ(mallopt(M_MXFAST, 161), 0);
  EXPECT_EQ(mallopt(M_MXFAST, -1), 0);
  EXPECT_EQ(mallopt(M_TRIM_THRESHOLD, -1), 1);
  EXPECT_EQ(mallopt(M_TOP_PAD, 1 << 20), 1);
  EXPECT_EQ(mallopt(M_MMAP_THRESHOLD, 32 << 20), 1);
  EXPECT_EQ(mallopt(M_MMAP_THRESHOLD, (32 << 20) + 1), 0);
  EXPECT_EQ(mallopt(M_MMAP_MAX, 0), 1);
  EXPECT_EQ(mallopt(M_ARENA_MAX, 1), 1);
  EXPECT_EQ(mallopt(M_ARENA_TEST, 0), 0);
  EXPECT_EQ(mallopt(M_CHECK_ACTION, 3), 1);
  EXPECT_EQ(mallopt(M_PERTURB, 0), 1);
  EXPECT_EQ(mallopt(M_PERTURB, 0xaa), 0) << "memory is not filled";
  EXPECT_EQ(mallopt(12345, 1), 0);
  // And nothing of it changed how memory is served.
  void* p = malloc(33);
  EXPECT_EQ(malloc_usable_size(p), 48u);
  free(p);
}

}  // namespace
