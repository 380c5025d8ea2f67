// sampling.h - which objects are sampled, and what is kept of them. Runs in slow paths only. No lock is held while the stack is
// unwound.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/thread.h"

namespace liballoc {

// Mean bytes between samples that new steps are drawn with; 0 = off.
uint64_t sample_period();
void set_sample_period(uint64_t mean);

// Objects of this size to let pass before the next sample. Steps have no memory, so drawing anew is always right.
uint32_t draw_countdown(Thread& thread, uint32_t object_bytes);
// Bytes of large objects to let pass.
int64_t draw_next_sample(Thread& thread);

// Keeps the object that was just allocated as a sample: stack, labels, bucket, live record, special, event.
// Does nothing when it cannot be stored (counted in the segment).
void sample_object(Thread& thread, Span* span, uint32_t slot, void* object, size_t requested,
                   size_t allocated);
// The object dies: if it was sampled its sample ends, and both stacks are kept for a while.
// `resized`: it lives on with another size, as a new object.
void unsample_object(Thread& thread, Span* span, uint32_t slot, bool resized = false);
// The record of the object's sample in the segment; 0 = it has none.
uint32_t sample_of(const Span* span, uint32_t slot);

void sampling_lock_for_fork();
void sampling_unlock_after_fork(bool in_child);

}  // namespace liballoc
