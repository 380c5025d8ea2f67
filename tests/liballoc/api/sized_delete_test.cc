// sized_delete_test.cc - when a sized delete believes the size, that it finds every sampled object all the same, and what becomes of
// sizes that are wrong. In a child wherever trust ends, since it ends for good.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/core/sampling.h"
#include "liballoc/heap/size_trust.h"
#include "liballoc/heap/specials.h"

namespace liballoc {
namespace {

void earn_trust() {
  std::vector<void*> all(2 * kProbation);  // those on marked pages are not compared
  for (void*& p : all) p = ::operator new(48);
  for (void* p : all) ::operator delete(p, 48);
}

// The body's failures end the child with 1.
template <typename Body>
void in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// As operator delete(p, bytes) of a build that is not for debugging: that one ends the process when the size is wrong.
void delete_saying(void* p, size_t bytes) { release_by_size_or<release_judging_size>(p, bytes); }

// An object that shares no page with a sampled one.
void* new_unmarked(size_t bytes) {
  void* p = ::operator new(bytes);
  while (marks_beside(reinterpret_cast<uintptr_t>(p)) != 0) p = ::operator new(bytes);  // the others stay
  return p;
}

TEST(SizedDeleteTest, SizesAreTrustedOnceManyWereRight) {
  ASSERT_TRUE(sizes_on_probation() || sizes_are_trusted());
  earn_trust();
  EXPECT_TRUE(sizes_are_trusted());
}

// Which is to say that the page is not looked at.
TEST(SizedDeleteTest, ATrustedSizeChoosesTheClass) {
  earn_trust();
  in_child([] {
    void* p = new_unmarked(96);
    free(malloc(40));
    delete_saying(p, 40);
    EXPECT_EQ(malloc(40), p);
    EXPECT_TRUE(sizes_are_trusted()) << "nobody has noticed";
  });
}

TEST(SizedDeleteTest, TheClassOnAMarkedPageIsThePages) {
  earn_trust();
  in_child([] {
    void* p = new_unmarked(96);
    mark_page(reinterpret_cast<uintptr_t>(p));
    free(malloc(40));
    delete_saying(p, 40);
    EXPECT_NE(malloc(40), p);
    EXPECT_EQ(malloc(96), p);
  });
}

TEST(SizedDeleteTest, AWrongSizeBeforeTrustMeansThereIsNone) {
  in_child([] {
    ASSERT_FALSE(sizes_are_trusted());
    delete_saying(::operator new(96), 40);
    earn_trust();
    EXPECT_FALSE(sizes_are_trusted());
  });
}

// Objects of derived classes deleted by way of bases without virtual destructors, for instance; and sizes that are too large.
TEST(SizedDeleteTest, SlotsThatWrongSizesPutInOtherBinsFindTheirSpans) {
  earn_trust();
  for (const auto& [made, said] : {std::pair<size_t, size_t>{96, 48}, {128, 64}, {900, 16}, {48, 96}, {16, 1000}}) {
    in_child([made = made, said = said] {
      std::vector<void*> all(3000);
      free(malloc(said));  // the thread keeps slots of the class
      for (void*& p : all) p = ::operator new(made);
      for (void* p : all) delete_saying(p, said);
      if (said < made) {  // they are large enough to be used meanwhile
        for (void*& p : all) memset(p = malloc(said), 1, said);
        for (void* p : all) free(p);
      }
      for (void*& p : all) p = ::operator new(made);
      for (void* p : all) delete_saying(p, said);
      EXPECT_TRUE(sizes_are_trusted());
      malloc_trim(0);
      g_heap.verify();
      EXPECT_FALSE(sizes_are_trusted());
    });
  }
}

// new[] and delete, of characters.
TEST(SizedDeleteTest, ALargeObjectThatIsSaidToBeSmallDoesNoHarm) {
  earn_trust();
  in_child([] {
    free(malloc(1));
    void* p = new_unmarked(100000);
    memset(p, 1, 100000);
    delete_saying(p, 1);
    malloc_trim(0);
    g_heap.verify();
    EXPECT_FALSE(sizes_are_trusted());
    delete_saying(::operator new(100000), 1);
    EXPECT_NE(::operator new(100000), nullptr);
  });
}

TEST(SizedDeleteTest, AForeignPointerIsFoundWhenItIsToGoBackToASpan) {
  earn_trust();
  alignas(16) static char foreign[64];
  EXPECT_DEATH(
      {
        free(malloc(48));
        delete_saying(foreign, 48);
        malloc_trim(0);
      },
      "liballoc: .*free");
}

// Random sizes and lives; the last of each is ended by another thread.
void make_and_end_objects() {
  struct Object {
    void* p = nullptr;
    size_t bytes = 0;
  };
  std::vector<Object> objects(20000);
  std::thread([] {}).join();  // what the next thread needs is there
  const uint64_t before = specials_inuse_count();
  std::mt19937 random(3);
  uint64_t most = 0;
  for (int i = 0; i < 600000; i++) {
    Object& o = objects[random() % objects.size()];
    ::operator delete(o.p, o.bytes);
    o.bytes = 1 + random() % 2000;
    o.p = ::operator new(o.bytes);
    if (const uint64_t now = specials_inuse_count(); now > most) most = now;
  }
  EXPECT_GT(most, before + 10) << "some 38 of them are sampled at a time";
  std::thread([&] {
    for (const Object& o : objects) ::operator delete(o.p, o.bytes);
  }).join();
  EXPECT_EQ(specials_inuse_count(), before);
}

TEST(SizedDeleteTest, ASampledObjectIsFoundWhereverItIsFreed) {
  earn_trust();
  make_and_end_objects();
  EXPECT_TRUE(sizes_are_trusted());
}

TEST(SizedDeleteTest, SoAreAllWhenEachIsSampled) {
  earn_trust();
  in_child([] {
    free(malloc(size_t{1} << 20));  // a slow path, with which the child's own telemetry begins
    set_sample_period(1);
    make_and_end_objects();
    EXPECT_TRUE(sizes_are_trusted());
  });
}

}  // namespace
}  // namespace liballoc
