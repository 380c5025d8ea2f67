// heap_drivers.h - the drivers of the library: each runs one of its data structures against a model
// that cannot be wrong. See fuzz_target.h.
#pragma once

#include <cstdint>
#include <span>

namespace liballoc {

void drive_span(std::span<const uint8_t> input);
void drive_free_tree(std::span<const uint8_t> input);
void drive_page_heap(std::span<const uint8_t> input);
void drive_thread_cache(std::span<const uint8_t> input);
void drive_config(std::span<const uint8_t> input);
void drive_requests(std::span<const uint8_t> input);

}  // namespace liballoc
