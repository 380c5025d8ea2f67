// replaced_new_test.cc - a program that replaces only the plain and the aligned operator new and delete: every other form must
// reach its functions. Linked with liballoc.a, and once more run with liballoc.so preloaded.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

// What this program's operator new puts before each object: an object from anywhere else does not have it.
struct alignas(64) Header {
  uint64_t magic;
  void* block;
};
constexpr uint64_t kPlain = 0x1122334455667788, kAligned = 0x99aabbccddeeff00;
int g_made = 0, g_ended = 0, g_foreign = 0;
bool g_refuse = false;

// Not inlined: the compiler would see through to posix_memalign and warn of the header in front of the object.
__attribute__((noinline)) void* make(size_t bytes, size_t align, uint64_t magic) {
  if (g_refuse) throw std::bad_alloc();
  if (align < alignof(Header)) align = alignof(Header);
  void* block = nullptr;
  if (posix_memalign(&block, align, align + bytes) != 0) throw std::bad_alloc();
  auto* object = static_cast<char*>(block) + align;
  *reinterpret_cast<Header*>(object - sizeof(Header)) = {magic, block};
  g_made++;
  return object;
}

__attribute__((noinline)) void end(void* object, uint64_t magic) {
  if (object == nullptr) return;
  auto* header = reinterpret_cast<Header*>(static_cast<char*>(object) - sizeof(Header));
  if (header->magic != magic) {
    g_foreign++;
    return;
  }
  header->magic = 0;
  g_ended++;
  free(header->block);
}

}  // namespace

__attribute__((noinline)) void* operator new(size_t n) { return make(n, 0, kPlain); }
__attribute__((noinline)) void operator delete(void* p) noexcept { end(p, kPlain); }
__attribute__((noinline)) void* operator new(size_t n, std::align_val_t a) { return make(n, static_cast<size_t>(a), kAligned); }
__attribute__((noinline)) void operator delete(void* p, std::align_val_t) noexcept { end(p, kAligned); }

namespace {

using Align = std::align_val_t;

// Each form once; counted between two points without gtest in between.
TEST(ReplacedNewTest, EveryDerivedFormReachesTheProgramsOwn) {
  const int made = g_made, ended = g_ended, foreign = g_foreign;
  ::operator delete(::operator new(10), 10);
  ::operator delete[](::operator new[](10));
  ::operator delete[](::operator new[](10), 10);
  ::operator delete(::operator new(10, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](10, std::nothrow), std::nothrow);
  ::operator delete(::operator new(10, std::nothrow));
  const int plain = g_made - made;
  ::operator delete(::operator new(10, Align{128}), 10, Align{128});
  ::operator delete[](::operator new[](10, Align{128}), Align{128});
  ::operator delete[](::operator new[](10, Align{128}), 10, Align{128});
  ::operator delete(::operator new(10, Align{128}, std::nothrow), Align{128}, std::nothrow);
  ::operator delete[](::operator new[](10, Align{128}, std::nothrow), Align{128}, std::nothrow);
  const int all = g_made - made, gone = g_ended - ended, strange = g_foreign - foreign;
  EXPECT_EQ(plain, 6);
  EXPECT_EQ(all, 11);
  EXPECT_EQ(gone, 11);
  EXPECT_EQ(strange, 0);
}

TEST(ReplacedNewTest, WhatTheProgramsOwnThrowsBecomesNullInNothrowForms) {
  g_refuse = true;
  void* const a = ::operator new(10, std::nothrow);
  void* const b = ::operator new[](10, std::nothrow);
  void* const c = ::operator new(10, Align{128}, std::nothrow);
  void* const d = ::operator new[](10, Align{128}, std::nothrow);
  g_refuse = false;
  EXPECT_EQ(a, nullptr);
  EXPECT_EQ(b, nullptr);
  EXPECT_EQ(c, nullptr);
  EXPECT_EQ(d, nullptr);
}

TEST(ReplacedNewTest, MallocIsLiballocs) {
  void* p = malloc(33);
  EXPECT_EQ(malloc_usable_size(p), 48u);
  free(p);
}

}  // namespace
