// free_tree_test.cc - best fit, its tie rule, and the treap's invariants, against an ordered set.
#include "liballoc/heap/free_tree.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

namespace liballoc {
namespace {

TEST(FreeTreeTest, AgreesWithAnOrderedSetUnderRandomOperations) {
  std::vector<std::unique_ptr<FreeTreeNode>> nodes;
  FreeTree tree(12345);
  std::mt19937 random(7);
  std::set<std::pair<size_t, uintptr_t>> model;
  std::vector<std::unique_ptr<Span>> spans;
  std::vector<Span*> in_tree;
  for (int step = 0; step < 20000; step++) {
    if (random() % 2 == 0 || in_tree.empty()) {
      auto span = std::make_unique<Span>();
      span->pages = 1 + random() % 50;
      span->base = (uintptr_t{1} << 30) + uintptr_t{spans.size()} * 64 * kPageBytes;
      nodes.push_back(std::make_unique<FreeTreeNode>());
      span->node = nodes.back().get();
      tree.insert(span.get());
      model.emplace(span->pages, span->base);
      in_tree.push_back(span.get());
      spans.push_back(std::move(span));
    } else {
      const size_t i = random() % in_tree.size();
      Span* span = in_tree[i];
      in_tree[i] = in_tree.back();
      in_tree.pop_back();
      tree.remove(span);
      model.erase({span->pages, span->base});
      ASSERT_EQ(span->node->span, nullptr);
    }
    const size_t want = 1 + random() % 55;
    const auto expected = model.lower_bound({want, 0});
    const Span* got = tree.best_fit(want);
    if (expected == model.end()) {
      ASSERT_EQ(got, nullptr);
    } else {
      ASSERT_NE(got, nullptr);
      ASSERT_EQ(got->pages, expected->first);
      ASSERT_EQ(got->base, expected->second) << "a tie takes the lowest address";
    }
    ASSERT_EQ(tree.size(), model.size());
    if (step % 100 == 0) {
      tree.verify();
      auto it = model.rbegin();
      for (Span* s = tree.largest(); s != nullptr; s = tree.predecessor(s), ++it) {
        ASSERT_EQ(s->pages, it->first);
        ASSERT_EQ(s->base, it->second);
      }
      ASSERT_TRUE(it == model.rend());
    }
  }
}

TEST(FreeTreeTest, AnEmptyTreeHasNoFit) {
  FreeTree tree(1);
  EXPECT_EQ(tree.best_fit(1), nullptr);
  EXPECT_EQ(tree.largest(), nullptr);
  tree.verify();
}

}  // namespace
}  // namespace liballoc
