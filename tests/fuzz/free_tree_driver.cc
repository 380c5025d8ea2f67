// free_tree_driver.cc - the tree of free spans against an ordered set: best fit, tie rule, walk and
// invariants after each step.
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "liballoc/heap/free_tree.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"

namespace liballoc {

void drive_free_tree(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  FreeTree tree(1 + input.value<uint16_t>());
  std::set<std::pair<size_t, uintptr_t>> model;
  std::vector<std::unique_ptr<Span>> spans;          // those in the tree
  std::vector<std::unique_ptr<FreeTreeNode>> nodes;  // of all that ever were
  size_t pages = 0;
  const auto remove = [&](size_t i) {
    std::swap(spans[i], spans.back());
    Span* span = spans.back().get();
    tree.remove(span);
    LIBALLOC_FUZZ_CHECK(span->node->span == nullptr);
    LIBALLOC_FUZZ_CHECK(model.erase({span->pages, span->base}) == 1);
    pages -= span->pages;
    spans.pop_back();
  };
  while (!input.empty()) {
    const uint8_t op = input.byte();
    if (op % 8 < 5) {
      auto span = std::make_unique<Span>();
      // Few lengths and addresses: ties are what must be seen.
      span->pages = 1 + (op / 8) % 16;
      span->base = (uintptr_t{1} << 30) + input.value<uint16_t>() * kPageBytes;
      if (!model.emplace(span->pages, span->base).second) continue;
      nodes.push_back(std::make_unique<FreeTreeNode>());
      span->node = nodes.back().get();
      tree.insert(span.get());
      pages += span->pages;
      spans.push_back(std::move(span));
    } else if (!spans.empty()) {
      remove(input.below(spans.size()));
    }
    const size_t want = 1 + (op / 8) % 18;
    const auto expected = model.lower_bound({want, 0});
    const Span* got = tree.best_fit(want);
    LIBALLOC_FUZZ_CHECK((got == nullptr) == (expected == model.end()));
    LIBALLOC_FUZZ_CHECK(got == nullptr || std::pair(got->pages, got->base) == *expected);
    LIBALLOC_FUZZ_CHECK(tree.size() == model.size() && tree.pages() == pages);
    LIBALLOC_FUZZ_CHECK(tree.empty() == model.empty());
    auto it = model.rbegin();
    for (Span* s = tree.largest(); s != nullptr; s = tree.predecessor(s), ++it) {
      LIBALLOC_FUZZ_CHECK(it != model.rend() && std::pair(s->pages, s->base) == *it);
    }
    LIBALLOC_FUZZ_CHECK(it == model.rend());
    tree.verify();
  }
  while (!spans.empty()) remove(spans.size() - 1);
  for (const auto& node : nodes) LIBALLOC_FUZZ_CHECK(node->span == nullptr);
}

}  // namespace liballoc
