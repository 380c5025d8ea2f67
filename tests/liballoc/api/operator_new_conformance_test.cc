// operator_new_conformance_test.cc - [new.delete] for every form: zero sizes, alignment, exhaustion, new-handlers, null. This
// process runs on liballoc.a.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace {

using Align = std::align_val_t;

size_t opaque(size_t n) {
  volatile size_t v = n;
  return v;
}

constexpr size_t kHuge = SIZE_MAX / 2 + 1;

struct Form {
  const char* name;
  bool throws;
  std::function<void*(size_t)> make;
  std::function<void(void*, size_t)> end;
};

// Each way to make an object with one that may end it.
const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {"new", true, [](size_t n) { return ::operator new(n); }, [](void* p, size_t) { ::operator delete(p); }},
      {"new[]", true, [](size_t n) { return ::operator new[](n); }, [](void* p, size_t) { ::operator delete[](p); }},
      {"new, sized delete", true, [](size_t n) { return ::operator new(n); },
       [](void* p, size_t n) { ::operator delete(p, n); }},
      {"new[], sized delete[]", true, [](size_t n) { return ::operator new[](n); },
       [](void* p, size_t n) { ::operator delete[](p, n); }},
      {"aligned new", true, [](size_t n) { return ::operator new(n, Align{256}); },
       [](void* p, size_t) { ::operator delete(p, Align{256}); }},
      {"aligned new[]", true, [](size_t n) { return ::operator new[](n, Align{256}); },
       [](void* p, size_t) { ::operator delete[](p, Align{256}); }},
      {"aligned new, sized delete", true, [](size_t n) { return ::operator new(n, Align{256}); },
       [](void* p, size_t n) { ::operator delete(p, n, Align{256}); }},
      {"aligned new[], sized delete[]", true, [](size_t n) { return ::operator new[](n, Align{256}); },
       [](void* p, size_t n) { ::operator delete[](p, n, Align{256}); }},
      {"nothrow new", false, [](size_t n) { return ::operator new(n, std::nothrow); },
       [](void* p, size_t) { ::operator delete(p, std::nothrow); }},
      {"nothrow new[]", false, [](size_t n) { return ::operator new[](n, std::nothrow); },
       [](void* p, size_t) { ::operator delete[](p, std::nothrow); }},
      {"aligned nothrow new", false, [](size_t n) { return ::operator new(n, Align{256}, std::nothrow); },
       [](void* p, size_t) { ::operator delete(p, Align{256}, std::nothrow); }},
      {"aligned nothrow new[]", false, [](size_t n) { return ::operator new[](n, Align{256}, std::nothrow); },
       [](void* p, size_t) { ::operator delete[](p, Align{256}, std::nothrow); }}};
  return all;
}

class OperatorNewTest : public testing::Test {
 protected:
  ~OperatorNewTest() override { std::set_new_handler(nullptr); }
};

int g_calls = 0;
void* g_reserve = nullptr;

TEST_F(OperatorNewTest, EveryFormAllocatesAndEndsEverySize) {
  ASSERT_FALSE(forms().empty());  // makes the list, which stays
  const struct mallinfo2 before = mallinfo2();
  for (const Form& form : forms()) {
    for (const size_t n : {size_t{1}, size_t{7}, size_t{100}, size_t{5000}, size_t{32768}, size_t{32769}, size_t{3} << 20}) {
      void* p = form.make(n);
      ASSERT_NE(p, nullptr) << form.name;
      ASSERT_GE(malloc_usable_size(p), n);
      const size_t align = std::string(form.name).find("aligned") != std::string::npos ? 256
                           : n >= __STDCPP_DEFAULT_NEW_ALIGNMENT__                      ? __STDCPP_DEFAULT_NEW_ALIGNMENT__
                                                                                        : 8;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u) << form.name << " " << n;
      form.end(p, n);
    }
  }
  const struct mallinfo2 after = mallinfo2();
  EXPECT_EQ(after.uordblks, before.uordblks);
  EXPECT_EQ(after.hblkhd, before.hblkhd);
}

TEST_F(OperatorNewTest, ZeroBytesAreAUniqueObject) {
  for (const Form& form : forms()) {
    std::set<void*> seen;
    for (int i = 0; i < 5; i++) {
      void* p = form.make(opaque(0));
      EXPECT_NE(p, nullptr) << form.name;
      EXPECT_TRUE(seen.insert(p).second) << form.name;
    }
    for (void* p : seen) form.end(p, 0);
  }
}

TEST_F(OperatorNewTest, DeletingNullDoesNothingInEveryForm) {
  for (const Form& form : forms()) {
    form.end(nullptr, 0);
    form.end(nullptr, 100);
  }
}

TEST_F(OperatorNewTest, WithoutAHandlerExhaustionThrowsOrIsNull) {
  for (const Form& form : forms()) {
    for (const size_t n : {kHuge, SIZE_MAX, SIZE_MAX - 300, size_t{1} << 48}) {
      if (form.throws) EXPECT_THROW(form.make(n), std::bad_alloc) << form.name << " " << n;
      else EXPECT_EQ(form.make(n), nullptr) << form.name << " " << n;
    }
  }
}

TEST_F(OperatorNewTest, EveryFormCallsTheHandlerUntilThereIsNone) {
  for (const Form& form : forms()) {
    g_calls = 0;
    std::set_new_handler([] {
      if (++g_calls == 4) std::set_new_handler(nullptr);
    });
    if (form.throws) EXPECT_THROW(form.make(kHuge), std::bad_alloc) << form.name;
    else EXPECT_EQ(form.make(kHuge), nullptr) << form.name;
    EXPECT_EQ(g_calls, 4) << form.name;
  }
}

struct Own : std::bad_alloc {};

TEST_F(OperatorNewTest, WhatTheHandlerThrowsGoesThroughOrBecomesNull) {
  for (const Form& form : forms()) {
    std::set_new_handler([] { throw Own(); });
    if (form.throws) EXPECT_THROW(form.make(kHuge), Own) << form.name;
    else EXPECT_EQ(form.make(kHuge), nullptr) << form.name;
  }
}

TEST_F(OperatorNewTest, AHandlerThatMakesRoomIsEnough) {
  struct rlimit before = {};
  getrlimit(RLIMIT_AS, &before);
  constexpr size_t kWish = size_t{150} << 20;
  for (const Form& form : forms()) {
    g_reserve = malloc(kWish);
    ASSERT_NE(g_reserve, nullptr);
    std::array<void*, 256> rest{};
    struct rlimit now = before;
    now.rlim_cur = size_t{1} << 20;  // less than there is already: no more address space
    ASSERT_EQ(setrlimit(RLIMIT_AS, &now), 0);
    size_t held = 0;  // what earlier tests left idle
    while (held < rest.size() && (rest[held] = malloc(kWish)) != nullptr) held++;
    g_calls = 0;
    std::set_new_handler([] {
      g_calls++;
      free(g_reserve);
      g_reserve = nullptr;
      if (g_calls > 1) std::set_new_handler(nullptr);
    });
    void* p = nullptr;
    try {
      p = form.make(kWish);
    } catch (const std::bad_alloc&) {
    }
    setrlimit(RLIMIT_AS, &before);
    std::set_new_handler(nullptr);
    EXPECT_NE(p, nullptr) << form.name;
    EXPECT_EQ(g_calls, 1) << form.name;
    form.end(p, kWish);
    for (void* q : rest) free(q);
  }
}

TEST_F(OperatorNewTest, AnArrayLengthThatOverflowsNeverReachesTheAllocator) {
  g_calls = 0;
  std::set_new_handler([] {
    g_calls++;
    std::set_new_handler(nullptr);
  });
  const size_t n = opaque(SIZE_MAX / 8 + 2);
  EXPECT_THROW(delete[] new uint64_t[n], std::bad_array_new_length);
  EXPECT_EQ(g_calls, 0);
}

TEST_F(OperatorNewTest, HugeAlignments) {
  for (size_t align = 1; align <= (size_t{64} << 20); align *= 2) {
    void* p = ::operator new(100, Align{align});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    ::operator delete(p, 100, Align{align});
  }
  malloc_trim(0);
}

TEST_F(OperatorNewTest, AConstructorThatThrowsGivesItsMemoryBack) {
  struct Throws {
    Throws() { throw 1; }
    char bytes[500];
  };
  const struct mallinfo2 before = mallinfo2();
  for (int i = 0; i < 100; i++) {
    EXPECT_THROW(new Throws(), int);
    EXPECT_THROW(new Throws[10](), int);
  }
  EXPECT_EQ(mallinfo2().uordblks, before.uordblks);
}

}  // namespace
