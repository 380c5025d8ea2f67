// plugin.cc - a library that is loaded, closed, and replaced by one that differs in nothing but the
// size of a frame (PLUGIN_FRAME_BYTES): the same addresses, other rules.
extern "C" __attribute__((noinline)) void plugin_call(void (*leaf)(void*), void* argument) {
  volatile char frame[PLUGIN_FRAME_BYTES];
  frame[0] = 1;
  leaf(argument);
  frame[1] = frame[0];
}
