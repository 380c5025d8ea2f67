// frame_shapes.h - functions whose frames look different to an unwinder, compiled once per set of
// compiler options (frame_shapes.cc). Each calls `leaf` from its middle and does not make a tail
// call of it.
#pragma once

#include <cstddef>

struct FrameShape {
  const char* options;
  const char* name;
  void (*call)(void (*leaf)(void*), void* argument);
};

struct FrameShapes {
  const FrameShape* begin;
  size_t count;
};

FrameShapes frame_shapes_o0();
FrameShapes frame_shapes_o2();
FrameShapes frame_shapes_o3();
FrameShapes frame_shapes_frame_pointer();
FrameShapes frame_shapes_small();
