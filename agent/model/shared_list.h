// shared_list.h - a list that snapshots share while it does not change: copying one costs a
// pointer, changing one copies it first if others have it too.
//
// Reading is thread-safe as long as nobody changes this very object. Must never hand out a
// reference through which a shared list could be changed.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace liballoc::agent {

template <typename T>
class SharedList {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;

  SharedList() : list_(std::make_shared<std::vector<T>>()) {}
  SharedList(std::initializer_list<T> values) : SharedList(std::vector<T>(values)) {}
  SharedList(std::vector<T> values)  // NOLINT: a list is what it is made of
      : list_(std::make_shared<std::vector<T>>(std::move(values))) {}

  // Declared, so that moving copies the pointer too: no list is ever without one.
  SharedList(const SharedList&) = default;
  SharedList& operator=(const SharedList&) = default;

  const_iterator begin() const { return list_->begin(); }
  const_iterator end() const { return list_->end(); }
  size_t size() const { return list_->size(); }
  bool empty() const { return list_->empty(); }
  const T& operator[](size_t i) const { return (*list_)[i]; }
  const T& at(size_t i) const { return list_->at(i); }
  const T& front() const { return list_->front(); }
  const T& back() const { return list_->back(); }

  void push_back(T value) { own().push_back(std::move(value)); }
  // True for two lists that are the same one, not only equal.
  bool shares_with(const SharedList& other) const { return list_ == other.list_; }

 private:
  // A use count of 1 cannot rise meanwhile: who could copy this object would race with us anyhow.
  std::vector<T>& own() {
    if (list_.use_count() != 1) list_ = std::make_shared<std::vector<T>>(*list_);
    return *list_;
  }

  std::shared_ptr<std::vector<T>> list_;  // never null
};

}  // namespace liballoc::agent
