// new_delete_test.cc - every operator new and delete, and what happens when memory runs out.
#include <gtest/gtest.h>

#include <cstdint>
#include <new>

namespace {

volatile size_t g_half_of_all = SIZE_MAX / 2;
int g_handler_calls = 0;

struct alignas(128) Wide {
  char bytes[256];
};

TEST(NewDeleteTest, EveryFormAllocatesAligned) {
  delete new int(1);
  delete[] new int[100];
  auto* w = new Wide();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(w) % 128, 0u);
  delete w;
  delete[] new Wide[3];
  void* p = ::operator new(10, std::nothrow);
  ::operator delete(p, std::nothrow);
  p = ::operator new[](10, std::align_val_t{4096}, std::nothrow);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 4096, 0u);
  ::operator delete[](p, std::align_val_t{4096}, std::nothrow);
  p = ::operator new(100, std::align_val_t{64});
  ::operator delete(p, 100, std::align_val_t{64});
  ::operator delete(::operator new(100), 100);
}

TEST(NewDeleteTest, ExhaustionThrowsOrGivesNullAsAsked) {
  EXPECT_THROW(static_cast<void>(::operator new(g_half_of_all)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(::operator new[](g_half_of_all, std::align_val_t{64})), std::bad_alloc);
  EXPECT_EQ(::operator new(g_half_of_all, std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](g_half_of_all, std::align_val_t{64}, std::nothrow), nullptr);
}

TEST(NewDeleteTest, TheNewHandlerIsCalledUntilItGivesUp) {
  g_handler_calls = 0;
  std::set_new_handler([] {
    if (++g_handler_calls == 3) std::set_new_handler(nullptr);
  });
  EXPECT_THROW(static_cast<void>(::operator new(g_half_of_all)), std::bad_alloc);
  EXPECT_EQ(g_handler_calls, 3);
}

TEST(NewDeleteTest, AHandlerThatThrowsIsHeard) {
  std::set_new_handler([] { throw std::bad_alloc(); });
  EXPECT_THROW(static_cast<void>(::operator new(g_half_of_all)), std::bad_alloc);
  EXPECT_EQ(::operator new(g_half_of_all, std::nothrow), nullptr) << "the nothrow form swallows it";
  std::set_new_handler(nullptr);
}

}  // namespace
