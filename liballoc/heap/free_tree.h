// free_tree.h - free spans ordered by (pages, address): a treap with random priorities, so best fit is the first node that is
// large enough and a tie takes the lowest address. Guarded by the page heap's lock. A span comes with its node, so that giving
// memory back cannot fail for want of memory.
// Source of the structure: Seidel and Aragon, "Randomized Search Trees", 1996.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/span.h"

namespace liballoc {

struct FreeTreeNode {
  FreeTreeNode* left;
  FreeTreeNode* right;
  FreeTreeNode* parent;
  Span* span;  // null while in no tree
  size_t pages;    // copies of the span's, so that a walk stays in the nodes
  uintptr_t base;
  uint32_t priority;  // heap order: a parent's is not larger than its children's
};

class FreeTree {
 public:
  constexpr explicit FreeTree(uint32_t seed) : random_(seed) {}

  // span->node is the span's own, and in no tree.
  void insert(Span* span);
  void remove(Span* span);
  // The smallest span with at least `pages` pages, lowest address among equals; null when there is none.
  Span* best_fit(size_t pages) const;
  Span* largest() const;
  // Next smaller in order, null at the end. For walks that look for something beyond size.
  Span* predecessor(Span* span) const;
  bool empty() const { return root_ == nullptr; }
  size_t size() const { return size_; }
  size_t pages() const { return pages_; }
  // Ends the process unless order, heap order, parent links and counts hold.
  void verify() const;

 private:
  static bool before(size_t pages, uintptr_t base, const FreeTreeNode* n) {
    return pages != n->pages ? pages < n->pages : base < n->base;
  }
  void rotate_up(FreeTreeNode* n);
  size_t verify_node(const FreeTreeNode* n, const FreeTreeNode** last) const;

  FreeTreeNode* root_ = nullptr;
  size_t size_ = 0;
  size_t pages_ = 0;
  uint32_t random_;
};

}  // namespace liballoc
