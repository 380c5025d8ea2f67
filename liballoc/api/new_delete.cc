// new_delete.cc - every replaceable operator new and delete. Throwing and new-handlers belong to the C++ runtime of the program,
// which is looked up when memory runs out: the library itself links none.
// The derived forms call the plain ones by their public names, as [new.delete] says: a program may replace operator new(size_t) and
// operator delete(void*) alone. All are weak, so that such a program also links with liballoc.a; nothing here may be inlined
// into another form.
#include <dlfcn.h>

#include <cstddef>
#include <new>

#include "liballoc/api/lifecycle.h"
#include "liballoc/base/check.h"
#include "liballoc/core/allocator.h"

// What the catches below need of a C++ runtime: weak, so that programs without one load the library. They never get there.
__asm__(
    ".weak __gxx_personality_v0\n.weak __cxa_begin_catch\n.weak __cxa_end_catch\n.weak _ZSt9terminatev\n");

namespace {

LIBALLOC_NEEDS_LIFECYCLE;

using Handler = void (*)();

// Weak: present when the program has a C++ runtime in its global scope, as every C++ program does.
extern "C" __attribute__((weak)) void liballoc_std_throw_bad_alloc() __asm__("_ZSt17__throw_bad_allocv");
extern "C" __attribute__((weak)) Handler liballoc_std_get_new_handler() __asm__("_ZSt15get_new_handlerv");

// The runtime may also have come with a library that was opened later.
template <typename F>
F* find(F* linked, const char* name) {
  return linked != nullptr ? linked : reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}

// [new.delete.single]: calls the new-handler until one gives up, or throws, or memory is there. Null when there is none.
LIBALLOC_COLD void* retry_with_handler(size_t bytes, size_t align) {
  while (true) {
    auto* current = find(liballoc_std_get_new_handler, "_ZSt15get_new_handlerv");
    Handler handler = current != nullptr ? current() : nullptr;
    if (handler == nullptr) return nullptr;
    handler();
    if (void* p = liballoc::allocate_general({bytes, align, false, false})) return p;
  }
}

LIBALLOC_COLD void* new_slow(size_t bytes, size_t align) {
  if (void* p = retry_with_handler(bytes, align)) return p;
  if (auto* throw_bad_alloc = find(liballoc_std_throw_bad_alloc, "_ZSt17__throw_bad_allocv")) throw_bad_alloc();
  liballoc::LineBuffer line;
  line.text("liballoc: operator new of ").dec(bytes).text(" bytes failed and there is no C++ runtime to throw");
  liballoc::fatal(line);
}

LIBALLOC_NOINLINE void* plain_new_slow(size_t bytes) {
  void* p = liballoc::allocate_plain_slow(bytes);
  return LIBALLOC_LIKELY(p != nullptr) ? p : new_slow(bytes, 8);
}
inline void* allocate_new(size_t bytes) { return liballoc::allocate_or<plain_new_slow>(bytes); }
inline void* allocate_new(size_t bytes, std::align_val_t align) {
  const size_t a = static_cast<size_t>(align);
  void* p = liballoc::allocate_general({bytes, a, false, false});
  return LIBALLOC_LIKELY(p != nullptr) ? p : new_slow(bytes, a);
}
// [new.delete.single]: what the handler throws becomes a null pointer.
LIBALLOC_COLD void* retry_nothrow(size_t bytes, size_t align) noexcept {
  try {
    return retry_with_handler(bytes, align);
  } catch (...) {
    return nullptr;
  }
}
inline void* allocate_nothrow(size_t bytes, size_t align) noexcept {
  void* p = liballoc::allocate_general({bytes, align, false, false});
  return LIBALLOC_LIKELY(p != nullptr) ? p : retry_nothrow(bytes, align);
}

// Ours under names that nobody can replace.
using New = void* (*)(size_t);
using AlignedNew = void* (*)(size_t, std::align_val_t);
using Delete = void (*)(void*) noexcept;
#define LIBALLOC_OWN(symbol) __attribute__((visibility("hidden"), alias(symbol), malloc, alloc_size(1)))
extern "C" {
LIBALLOC_OWN("_Znwm") void* liballoc_own_new(size_t);
LIBALLOC_OWN("_Znam") void* liballoc_own_new_array(size_t);
LIBALLOC_OWN("_ZnwmSt11align_val_t") void* liballoc_own_new_aligned(size_t, std::align_val_t);
LIBALLOC_OWN("_ZnamSt11align_val_t") void* liballoc_own_new_array_aligned(size_t, std::align_val_t);
__attribute__((visibility("hidden"), alias("_ZdlPv"))) void liballoc_own_delete(void*) noexcept;
__attribute__((visibility("hidden"), alias("_ZdaPv"))) void liballoc_own_delete_array(void*) noexcept;
}

// What the public names stand for in this process. Volatile: a compiler must not conclude it from the definitions below.
New volatile const g_new = &::operator new;
New volatile const g_new_array = &::operator new[];
AlignedNew volatile const g_new_aligned = &::operator new;
AlignedNew volatile const g_new_array_aligned = &::operator new[];
Delete volatile const g_delete = &::operator delete;
Delete volatile const g_delete_array = &::operator delete[];

// Before this program's own constructors, with few exceptions; until then nothing is known of sizes.
__attribute__((constructor(102))) void watch_sizes_of_own_operators() {
  const bool ours = g_new == liballoc_own_new && g_new_array == liballoc_own_new_array && g_delete == liballoc_own_delete &&
                    g_delete_array == liballoc_own_delete_array;
  if (ours) liballoc::watch_sizes();
}

// The nothrow forms call the throwing ones. Ours need no C++ runtime to say no, so they are asked directly.
template <typename F, typename... Args>
LIBALLOC_NOINLINE void* call_replaced(F replaced, Args... args) noexcept {
  try {
    return replaced(args...);
  } catch (...) {
    return nullptr;
  }
}

// The size that a sized delete names, looked at where hits may cost more. An object of a replaced
// operator new is not ours to judge.
inline void check_size(void* p, size_t bytes, size_t align) {
#if LIBALLOC_DEBUG
  const bool ours = g_new == liballoc_own_new && g_new_array == liballoc_own_new_array &&
                    g_new_aligned == liballoc_own_new_aligned &&
                    g_new_array_aligned == liballoc_own_new_array_aligned;
  if (ours) liballoc::check_sized_delete(p, bytes, align);
#else
  static_cast<void>(p), static_cast<void>(bytes), static_cast<void>(align);
#endif
}

// While no size is trusted. `Plain` is the form that the sized one stands for, which may be the program's.
template <Delete Plain>
LIBALLOC_NOINLINE void delete_untrusted(void* p, size_t bytes) noexcept {
  if (liballoc::sizes_on_probation()) liballoc::release_judging_size(p, bytes);
  else Plain(p);
}

}  // namespace

#define LIBALLOC_REPLACEABLE LIBALLOC_EXPORT __attribute__((weak))

LIBALLOC_PLACE_HIT_PATH(new);
LIBALLOC_REPLACEABLE LIBALLOC_HIT_PATH(new) void* operator new(size_t n) { return allocate_new(n); }
LIBALLOC_REPLACEABLE void* operator new[](size_t n) { return ::operator new(n); }
LIBALLOC_REPLACEABLE void* operator new(size_t n, std::align_val_t a) { return allocate_new(n, a); }
LIBALLOC_REPLACEABLE void* operator new[](size_t n, std::align_val_t a) { return ::operator new(n, a); }
LIBALLOC_REPLACEABLE void* operator new(size_t n, const std::nothrow_t&) noexcept {
  const New now = g_new;
  return LIBALLOC_LIKELY(now == liballoc_own_new) ? allocate_nothrow(n, 8) : call_replaced(now, n);
}
LIBALLOC_REPLACEABLE void* operator new[](size_t n, const std::nothrow_t& tag) noexcept {
  const New now = g_new_array;
  return LIBALLOC_LIKELY(now == liballoc_own_new_array) ? ::operator new(n, tag) : call_replaced(now, n);
}
LIBALLOC_REPLACEABLE void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  const AlignedNew now = g_new_aligned;
  if (LIBALLOC_LIKELY(now == liballoc_own_new_aligned)) return allocate_nothrow(n, static_cast<size_t>(a));
  return call_replaced(now, n, a);
}
LIBALLOC_REPLACEABLE void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t& tag) noexcept {
  const AlignedNew now = g_new_array_aligned;
  if (LIBALLOC_LIKELY(now == liballoc_own_new_array_aligned)) return ::operator new(n, a, tag);
  return call_replaced(now, n, a);
}

LIBALLOC_PLACE_HIT_PATH(delete);
LIBALLOC_REPLACEABLE LIBALLOC_HIT_PATH(delete) void operator delete(void* p) noexcept { liballoc::release(p); }
LIBALLOC_REPLACEABLE void operator delete[](void* p) noexcept { ::operator delete(p); }
LIBALLOC_PLACE_HIT_PATH(sized_delete);
LIBALLOC_REPLACEABLE LIBALLOC_HIT_PATH(sized_delete) void operator delete(void* p, size_t n) noexcept {
  check_size(p, n, 1);
  liballoc::release_by_size_or<delete_untrusted<&::operator delete>>(p, n);
}
LIBALLOC_REPLACEABLE void operator delete[](void* p, size_t n) noexcept {
  check_size(p, n, 1);
  liballoc::release_by_size_or<delete_untrusted<&::operator delete[]>>(p, n);
}
LIBALLOC_REPLACEABLE void operator delete(void* p, std::align_val_t) noexcept {
  liballoc::release(p);
}
LIBALLOC_REPLACEABLE void operator delete[](void* p, std::align_val_t a) noexcept {
  ::operator delete(p, a);
}
LIBALLOC_REPLACEABLE void operator delete(void* p, size_t n, std::align_val_t a) noexcept {
  check_size(p, n, static_cast<size_t>(a));
  ::operator delete(p, a);
}
LIBALLOC_REPLACEABLE void operator delete[](void* p, size_t n, std::align_val_t a) noexcept {
  check_size(p, n, static_cast<size_t>(a));
  ::operator delete[](p, a);
}
LIBALLOC_REPLACEABLE void operator delete(void* p, const std::nothrow_t&) noexcept {
  ::operator delete(p);
}
LIBALLOC_REPLACEABLE void operator delete[](void* p, const std::nothrow_t&) noexcept {
  ::operator delete[](p);
}
LIBALLOC_REPLACEABLE void operator delete(void* p, std::align_val_t a,
                                          const std::nothrow_t&) noexcept {
  ::operator delete(p, a);
}
LIBALLOC_REPLACEABLE void operator delete[](void* p, std::align_val_t a, const std::nothrow_t&) noexcept {
  ::operator delete[](p, a);
}
