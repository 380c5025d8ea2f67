// allocator_frames_test.cc - which frames count as the allocator's, and that both ways of saying so
// agree.
#include "agent/pprof/allocator_frames.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace liballoc::agent {
namespace {

// RE2 and ECMAScript agree on the syntax that this expression uses.
bool drop_frames_matches(const std::string& name) {
  return std::regex_match(name, std::regex(std::string(drop_frames_regexp())));
}

TEST(AllocatorFrames, KnowsMallocOperatorNewAndLiballocsOwnCode) {
  for (const char* name :
       {"malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "memalign",
        "posix_memalign", "valloc", "pvalloc", "__libc_malloc", "liballoc_malloc", "operator new",
        "operator new[]", "operator new(unsigned long)",
        "operator new[](unsigned long, std::align_val_t)", "liballoc::ThreadCache::refill(int)",
        "liballoc::(anonymous namespace)::malloc_slow(unsigned long)", "liballoc::alloc_large"}) {
    EXPECT_TRUE(is_allocator_function(name)) << name;
    EXPECT_TRUE(drop_frames_matches(name)) << name;
  }
}

TEST(AllocatorFrames, LeavesTheProgramsFunctionsAlone) {
  for (const char* name :
       {"", "main", "my_malloc", "malloc_pool", "xmalloc", "operator newt", "operator+",
        "Pool::malloc", "std::vector<int>::push_back(int const&)", "mallocator", "strdup",
        "liballoc::agent::SegmentReader::read()", "PyMem_Malloc", "free"}) {
    EXPECT_FALSE(is_allocator_function(name)) << name;
    EXPECT_FALSE(drop_frames_matches(name)) << name;
  }
}

TEST(AllocatorFrames, DropsStandardAllocatorsInReadersOnly) {
  const std::string name = "std::__new_allocator<int>::allocate(unsigned long, void const*)";
  EXPECT_TRUE(drop_frames_matches(name));
  EXPECT_TRUE(drop_frames_matches("std::allocator_traits<std::allocator<int> >::allocate"));
  EXPECT_FALSE(is_allocator_function(name));
}

TEST(AllocatorFrames, KnowsTheLibraryByFileName) {
  EXPECT_TRUE(is_allocator_module("/opt/lib/liballoc.so"));
  EXPECT_TRUE(is_allocator_module("liballoc.so.0.1"));
  EXPECT_TRUE(is_allocator_module("/opt/lib/liballoc.so (deleted)"));
  EXPECT_FALSE(is_allocator_module("/usr/bin/liballoc-demo"));
  EXPECT_FALSE(is_allocator_module("/usr/lib/liballoc.sox"));
  EXPECT_FALSE(is_allocator_module("/liballoc.so/bin/app"));
  EXPECT_FALSE(is_allocator_module("/usr/lib/libc.so.6"));
  EXPECT_FALSE(is_allocator_module(""));
}

}  // namespace
}  // namespace liballoc::agent
