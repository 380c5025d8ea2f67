// free_tree.cc - see free_tree.h.
#include "liballoc/heap/free_tree.h"

namespace liballoc {

// Makes n the parent of its parent, keeping the order.
void FreeTree::rotate_up(FreeTreeNode* n) {
  FreeTreeNode* p = n->parent;
  FreeTreeNode* g = p->parent;
  if (p->left == n) {
    p->left = n->right;
    if (n->right != nullptr) n->right->parent = p;
    n->right = p;
  } else {
    p->right = n->left;
    if (n->left != nullptr) n->left->parent = p;
    n->left = p;
  }
  p->parent = n;
  n->parent = g;
  if (g == nullptr) root_ = n;
  else if (g->left == p) g->left = n;
  else g->right = n;
}

void FreeTree::insert(Span* span) {
  FreeTreeNode* n = span->node;
  LIBALLOC_DCHECK(n != nullptr && n->span == nullptr);
  // xorshift32: priorities need spread, not secrecy.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  n->span = span;
  n->pages = span->pages;
  n->base = span->base;
  n->priority = random_;
  n->left = n->right = nullptr;
  FreeTreeNode* parent = nullptr;
  FreeTreeNode** link = &root_;
  while (*link != nullptr) {
    parent = *link;
    link = before(n->pages, n->base, parent) ? &parent->left : &parent->right;
  }
  n->parent = parent;
  *link = n;
  while (n->parent != nullptr && n->parent->priority > n->priority) rotate_up(n);
  size_++;
  pages_ += span->pages;
}

void FreeTree::remove(Span* span) {
  FreeTreeNode* n = span->node;
  LIBALLOC_DCHECK(n != nullptr && n->span == span);
  while (n->left != nullptr || n->right != nullptr) {
    FreeTreeNode* up = n->left;
    if (up == nullptr || (n->right != nullptr && n->right->priority < up->priority)) up = n->right;
    rotate_up(up);
  }
  if (n->parent == nullptr) root_ = nullptr;
  else if (n->parent->left == n) n->parent->left = nullptr;
  else n->parent->right = nullptr;
  size_--;
  pages_ -= n->pages;
  n->span = nullptr;
}

Span* FreeTree::best_fit(size_t pages) const {
  const FreeTreeNode* best = nullptr;
  for (const FreeTreeNode* n = root_; n != nullptr;) {
    if (n->pages >= pages) {
      best = n;
      n = n->left;
    } else {
      n = n->right;
    }
  }
  return best != nullptr ? best->span : nullptr;
}

Span* FreeTree::largest() const {
  const FreeTreeNode* n = root_;
  if (n == nullptr) return nullptr;
  while (n->right != nullptr) n = n->right;
  return n->span;
}

Span* FreeTree::predecessor(Span* span) const {
  const FreeTreeNode* n = span->node;
  if (n->left != nullptr) {
    n = n->left;
    while (n->right != nullptr) n = n->right;
    return n->span;
  }
  while (n->parent != nullptr && n->parent->left == n) n = n->parent;
  return n->parent != nullptr ? n->parent->span : nullptr;
}

size_t FreeTree::verify_node(const FreeTreeNode* n, const FreeTreeNode** last) const {
  if (n == nullptr) return 0;
  LIBALLOC_CHECK(n->span->node == n && n->span->pages == n->pages && n->span->base == n->base);
  LIBALLOC_CHECK(n->left == nullptr || (n->left->parent == n && n->left->priority >= n->priority));
  LIBALLOC_CHECK(n->right == nullptr || (n->right->parent == n && n->right->priority >= n->priority));
  size_t count = verify_node(n->left, last);
  LIBALLOC_CHECK(*last == nullptr || before((*last)->pages, (*last)->base, n));
  *last = n;
  count += 1 + verify_node(n->right, last);
  return count;
}

void FreeTree::verify() const {
  const FreeTreeNode* last = nullptr;
  LIBALLOC_CHECK(root_ == nullptr || root_->parent == nullptr);
  LIBALLOC_CHECK(verify_node(root_, &last) == size_);
}

}  // namespace liballoc
