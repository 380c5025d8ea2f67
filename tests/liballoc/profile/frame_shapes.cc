// frame_shapes.cc - see frame_shapes.h. FRAME_SHAPES is the name of the function to define,
// FRAME_SHAPES_OPTIONS says how it is compiled. Must not use sanitizers' frames: it is compiled
// without them.
#include "tests/liballoc/profile/frame_shapes.h"

#include <alloca.h>

#include <stdexcept>
#include <string>

namespace {

#define NOINLINE __attribute__((noinline))

using Leaf = void (*)(void*);

volatile int g_sink = 0;
volatile int g_three = 3;

// Keeps `p` alive over the call.
void use(const volatile void* p) { __asm__ volatile("" ::"r"(p) : "memory"); }

NOINLINE void plain(Leaf leaf, void* argument) {
  leaf(argument);
  g_sink = g_sink + 1;
}

NOINLINE void nested_3(Leaf leaf, void* argument) {
  int kept = g_three;
  leaf(argument);
  g_sink = g_sink + kept;
}
NOINLINE void nested_2(Leaf leaf, void* argument) {
  nested_3(leaf, argument);
  g_sink = g_sink + 1;
}
NOINLINE void nested(Leaf leaf, void* argument) {
  nested_2(leaf, argument);
  g_sink = g_sink + 1;
}

NOINLINE void many_registers(Leaf leaf, void* argument) {
  long a = g_three, b = g_three + 1, c = g_three + 2, d = g_three + 3, e = g_three + 4,
       f = g_three + 5;
  leaf(argument);
  g_sink = static_cast<int>(a * b + c * d + e * f);
  g_sink = static_cast<int>(a ^ b ^ c ^ d ^ e ^ f);
}

NOINLINE void large_frame(Leaf leaf, void* argument) {
  char buffer[100000];
  use(buffer);
  leaf(argument);
  use(buffer);
}

NOINLINE void allocas(Leaf leaf, void* argument) {
  void* const memory = alloca(static_cast<size_t>(g_three) * 100);
  use(memory);
  leaf(argument);
  use(memory);
}

// The stack is realigned: the CFA is where a word of the frame says.
NOINLINE void realigned(Leaf leaf, void* argument) {
  alignas(64) char buffer[256];
  use(buffer);
  leaf(argument);
  use(buffer);
}

NOINLINE void realigned_alloca(Leaf leaf, void* argument) {
  alignas(128) char buffer[256];
  void* const memory = alloca(static_cast<size_t>(g_three) * 100);
  use(buffer);
  use(memory);
  leaf(argument);
  use(buffer);
}

// Only one way through saves registers.
NOINLINE void shrink_wrapped_inner(Leaf leaf, void* argument, int mode) {
  if (mode == 0) return;
  long a = g_three, b = g_three;
  leaf(argument);
  g_sink = static_cast<int>(a + b);
}
NOINLINE void shrink_wrapped(Leaf leaf, void* argument) {
  shrink_wrapped_inner(leaf, argument, g_three);
  g_sink = g_sink + 1;
}

NOINLINE void landing_pad(Leaf leaf, void* argument) {
  std::string text(static_cast<size_t>(g_three) * 10, 'x');
  try {
    leaf(argument);
    use(text.data());
  } catch (const std::runtime_error&) {
    g_sink = 1;
  }
}

[[noreturn]] NOINLINE void throws(const std::string& text) { throw std::runtime_error(text); }

// The leaf is called in the handler, and from a destructor while the stack is being unwound.
NOINLINE void in_handler(Leaf leaf, void* argument) {
  struct AtExit {
    Leaf leaf;
    void* argument;
    ~AtExit() { leaf(argument); }
  };
  try {
    AtExit at_exit{leaf, argument};
    throws("thrown");
  } catch (const std::runtime_error& error) {
    leaf(argument);
    use(error.what());
  }
}

NOINLINE void stack_arguments(int, int, int, int, int, int, int, int, int, Leaf leaf,
                              void* argument) {
  leaf(argument);
  g_sink = g_sink + 1;
}
NOINLINE void many_arguments(Leaf leaf, void* argument) {
  const int n = g_three;
  stack_arguments(n, n, n, n, n, n, n, n, n, leaf, argument);
  stack_arguments(n, 1, 2, 3, 4, 5, 6, 7, 8, leaf, argument);
  g_sink = g_sink + 1;
}

NOINLINE void recurse(Leaf leaf, void* argument, int levels) {
  if (levels == 0)
    leaf(argument);
  else
    recurse(leaf, argument, levels - 1);
  g_sink = g_sink + 1;
}
NOINLINE void deep(Leaf leaf, void* argument) {
  recurse(leaf, argument, 200);
  g_sink = g_sink + 1;
}

constexpr FrameShape kShapes[] = {
#define SHAPE(function) \
  { FRAME_SHAPES_OPTIONS, #function, function }
    SHAPE(plain),       SHAPE(nested),     SHAPE(many_registers),   SHAPE(large_frame),
    SHAPE(allocas),     SHAPE(realigned),  SHAPE(realigned_alloca), SHAPE(shrink_wrapped),
    SHAPE(landing_pad), SHAPE(in_handler), SHAPE(many_arguments),   SHAPE(deep),
};

}  // namespace

FrameShapes FRAME_SHAPES() { return {kShapes, sizeof(kShapes) / sizeof(kShapes[0])}; }
