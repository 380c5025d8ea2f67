// walk_memo_test.cc - what the memo knows is what a walk would find, and what may change unseen is not remembered.
#include "liballoc/profile/walk_memo.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

#include "liballoc/profile/permanent_images.h"
#include "liballoc/profile/stack.h"
#include "tests/liballoc/profile/frame_shapes.h"

namespace liballoc {
namespace {

using Stack = std::vector<uintptr_t>;

// Numbers stacks as a segment does.
class Numbers {
 public:
  uint32_t of(const Stack& stack) { return numbers_.try_emplace(stack, static_cast<uint32_t>(numbers_.size() + 1)).first->second; }

 private:
  std::map<Stack, uint32_t> numbers_;
};

struct Captures {
  std::unique_ptr<WalkMemo> memo{new WalkMemo()};
  Numbers numbers;
  std::vector<FrameShape> chain;
  size_t next = 0;
  unsigned captures = 0, known = 0, wrong = 0, calls = 0;
};

// Captures the stack twice, once with the memo.
__attribute__((noinline)) void capture_and_compare(Captures* tally) {
  uintptr_t pcs[kMaxStackDepth], truth[kMaxStackDepth];
  const CapturedStack with_memo = capture_stack(pcs, kMaxStackDepth, 1, tally->memo.get());
  const CapturedStack without = capture_stack(truth, kMaxStackDepth, 1);
  const uint32_t number = tally->numbers.of(Stack(truth, truth + without.depth));
  tally->captures++;
  if (with_memo.known != 0) {
    tally->known++;
    tally->wrong += with_memo.known != number;
  } else {
    tally->wrong += Stack(pcs, pcs + with_memo.depth) != Stack(truth, truth + without.depth);
    tally->memo->keep(number);
  }
}

// Goes through the frames of a chain, then captures.
void nest(void* argument) {
  auto* const tally = static_cast<Captures*>(argument);
  if (tally->next == tally->chain.size()) {
    capture_and_compare(tally);
    return;
  }
  const FrameShape shape = tally->chain[tally->next++];
  shape.call(nest, tally);
  tally->next--;
}

std::vector<FrameShape> all_shapes() {
  std::vector<FrameShape> all;
  for (const FrameShapes& s : {frame_shapes_o0(), frame_shapes_o2(), frame_shapes_o3(), frame_shapes_frame_pointer(),
                               frame_shapes_small()}) {
    for (size_t i = 0; i < s.count; i++) {
      if (std::string(s.begin[i].name) != "deep") all.push_back(s.begin[i]);
    }
  }
  return all;
}

// In a thread whose outermost frames are the program's and the C library's: both are permanent.
void in_plain_thread(void* (*body)(void*), void* argument) {
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, nullptr, body, argument), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
}

class WalkMemoTest : public testing::Test {
 protected:
  void SetUp() override { warm_unwinder(); }
};

TEST_F(WalkMemoTest, AKnownStackIsTheOneAWalkFinds) {
  Captures tally;
  in_plain_thread(
      [](void* argument) -> void* {
        auto* const t = static_cast<Captures*>(argument);
        std::mt19937 random(3);
        const std::vector<FrameShape> shapes = all_shapes();
        const auto any = [&] { return shapes[random() % shapes.size()]; };
        // A few chains come again and again; now and then one of them changes somewhere, mostly to something that looks alike.
        std::vector<std::vector<FrameShape>> chains(6);
        for (int round = 0; round < 30000; round++) {
          std::vector<FrameShape>& chain = chains[random() % chains.size()];
          const unsigned what = random() % 100;
          if (what == 0 && chain.size() < 6) chain.insert(chain.begin() + static_cast<long>(random() % (chain.size() + 1)), any());
          if (what == 1 && !chain.empty()) chain.erase(chain.begin() + static_cast<long>(random() % chain.size()));
          if (what == 2 && !chain.empty()) chain[random() % chain.size()] = any();
          t->chain = chain;
          nest(t);
        }
        return nullptr;
      },
      &tally);
  EXPECT_GE(tally.captures, 30000u);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_GT(tally.known, tally.captures / 4) << "most stacks come again";
}

TEST_F(WalkMemoTest, OfManyStacksTheOldestAreForgotten) {
  Captures tally;
  in_plain_thread(
      [](void* argument) -> void* {
        auto* const t = static_cast<Captures*>(argument);
        const FrameShape shape = frame_shapes_o2().begin[0];
        for (unsigned depth = 0; depth < 2 * WalkMemo::kWalks; depth++) {
          t->chain.assign(depth, shape);
          nest(t);
        }
        return nullptr;
      },
      &tally);
  EXPECT_EQ(tally.known, 0u);
  EXPECT_EQ(tally.wrong, 0u);
}

TEST_F(WalkMemoTest, ForgettingForgetsAll) {
  Captures tally;
  in_plain_thread(
      [](void* argument) -> void* {
        auto* const t = static_cast<Captures*>(argument);
        for (const bool forget : std::vector<bool>{false, false, false, true}) {  // one call, however it is compiled
          if (forget) t->memo->forget_all();
          nest(t);
        }
        return nullptr;
      },
      &tally);
  EXPECT_EQ(tally.known, 2u);
}

TEST_F(WalkMemoTest, AWalkThroughALibraryThatMayBeUnloadedIsNotRemembered) {
  void* const plugin = dlopen(PLUGIN_A, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(plugin, nullptr);
  void* const function = dlsym(plugin, "plugin_call");
  EXPECT_EQ(permanent_image(reinterpret_cast<uintptr_t>(function)), nullptr);
  Captures tally;
  tally.chain = {{"", "plugin", reinterpret_cast<void (*)(void (*)(void*), void*)>(function)}};
  in_plain_thread(
      [](void* argument) -> void* {
        for (const int round : std::vector<int>(4)) {
          static_cast<void>(round);
          nest(static_cast<Captures*>(argument));
        }
        return nullptr;
      },
      &tally);
  EXPECT_EQ(tally.captures, 4u);
  EXPECT_EQ(tally.known, 0u);
  dlclose(plugin);
}

TEST_F(WalkMemoTest, WhatTheProgramIsLinkedWithIsPermanent) {
  EXPECT_NE(permanent_image(reinterpret_cast<uintptr_t>(&in_plain_thread)), nullptr) << "the program";
  void* const terminate = dlsym(RTLD_DEFAULT, "_ZSt9terminatev");
  if (terminate == nullptr) GTEST_SKIP() << "the C++ library is linked statically";
  EXPECT_NE(permanent_image(reinterpret_cast<uintptr_t>(terminate)), nullptr) << "its C++ library";
}

}  // namespace
}  // namespace liballoc
