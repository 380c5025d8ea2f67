// lifecycle.h - ties the files of api/ together for a linker that takes single files out of liballoc.a: whoever has our malloc has
// the library's start and end too, without which there is no telemetry.
#pragma once

extern "C" {
extern __attribute__((visibility("hidden"))) const char liballoc_lifecycle;
extern __attribute__((visibility("hidden"))) const char liballoc_labels;
}

// Once in each file that a program may be linked with for its own sake; costs a word of constant data.
#define LIBALLOC_NEEDS_LIFECYCLE __attribute__((used)) const char* const g_lifecycle = &liballoc_lifecycle
