// misuse.cc - does one thing wrong, named by its argument, with functions whose names a report can be asked for.
//
// The optimizer must not see what free() is: it would take the second one for granted. Never links liballoc: it is preloaded.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Free = void (*)(void*);
Free volatile the_free = std::free;
void* volatile sink;

}  // namespace

// Each keeps a frame of its own: CMakeLists.txt turns sibling calls off.
extern "C" __attribute__((noinline)) void* allocates_the_object() {
  sink = std::malloc(100);
  return sink;
}
extern "C" __attribute__((noinline)) void frees_the_object_first(void* p) { the_free(p); }
extern "C" __attribute__((noinline)) void frees_the_object_again(void* p) { the_free(p); }

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  void* kept[2000];  // as many as make a thread give some back
  for (void*& q : kept) q = std::malloc(100);
  void* p = allocates_the_object();
  if (std::strcmp(what, "double-free") == 0) {
    frees_the_object_first(p);
    frees_the_object_again(p);
    for (void* q : kept) the_free(q);
  } else if (std::strcmp(what, "double-free-to-the-end") == 0) {
    frees_the_object_first(p);
    for (int i = 0; i < 20; i++) the_free(kept[i]);  // more than the newest slots, which any slow path looks at
    frees_the_object_again(p);
  } else if (std::strcmp(what, "interior") == 0) {
    frees_the_object_again(static_cast<char*>(p) + 8);
  } else if (std::strcmp(what, "stack") == 0) {
    int local = 0;
    frees_the_object_again(&local);
  } else {
    std::fprintf(stderr, "misuse: unknown '%s', known are double-free, double-free-to-the-end, interior, stack\n", what);
    return 2;
  }
  std::puts("survived");
  return 0;
}
