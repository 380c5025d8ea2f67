// noscan_allocator.h - a C++ allocator for elements that hold no pointers: std::vector<float, liballoc::noscan_allocator<float>>.
// Its memory lies in spans of its own, which core dumps leave out. C++11 and later; needs liballoc linked or preloaded at run time.
// Must never be used for elements whose pointers anybody wants to find in a dump or by a scan of the heap.
#ifndef LIBALLOC_NOSCAN_ALLOCATOR_H_
#define LIBALLOC_NOSCAN_ALLOCATOR_H_

#include <stdlib.h>

#include <cstddef>
#include <limits>
#include <new>
#include <type_traits>

#include "liballoc/alloc.h"

namespace liballoc {

// Whether T holds no pointers. What a type consists of cannot be asked, so the default takes trivially copyable types that are
// not pointers themselves; specialise it (as std::true_type) for others that hold none, or as std::false_type for one that does.
template <typename T>
struct holds_no_pointers
    : std::integral_constant<bool, std::is_trivially_copyable<T>::value && !std::is_pointer<T>::value &&
                                       !std::is_member_pointer<T>::value && !std::is_same<T, std::nullptr_t>::value> {};

template <typename T>
class noscan_allocator {
 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  noscan_allocator() noexcept = default;
  template <typename U>
  noscan_allocator(const noscan_allocator<U>&) noexcept {}  // NOLINT: allocators convert

  // Throws as std::allocator does; without exceptions the process ends.
  T* allocate(std::size_t count) {
    static_assert(holds_no_pointers<T>::value, "noscan_allocator is for types without pointers; see holds_no_pointers");
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) refuse<std::bad_array_new_length>();
    const std::size_t bytes = count * sizeof(T);
    // malloc aligns by size, up to 16 bytes.
    void* p = alignof(T) <= 16 ? liballoc_malloc_noscan(bytes) : liballoc_aligned_alloc_noscan(alignof(T), bytes);
    if (p == nullptr) refuse<std::bad_alloc>();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t) noexcept { free(p); }

 private:
  template <typename Exception>
  [[noreturn]] static void refuse() {
#if defined(__cpp_exceptions)
    throw Exception();
#else
    abort();
#endif
  }
};

template <typename T, typename U>
bool operator==(const noscan_allocator<T>&, const noscan_allocator<U>&) noexcept {
  return true;
}
template <typename T, typename U>
bool operator!=(const noscan_allocator<T>&, const noscan_allocator<U>&) noexcept {
  return false;
}

}  // namespace liballoc

#endif  // LIBALLOC_NOSCAN_ALLOCATOR_H_
