// reader_drivers.h - the drivers of agent/reader: hostile bytes in, and whatever comes out must be
// sane, bounded and the same twice. See fuzz_target.h.
#pragma once

#include <cstdint>
#include <span>

namespace liballoc::agent {

// Header and directory of a valid segment, changed by exclusive or with the input.
void drive_reader_header(std::span<const uint8_t> input);
// The first byte picks a kind of section; its directory entry, then its records, changed likewise.
void drive_reader_section(std::span<const uint8_t> input);
// The input is the file.
void drive_reader_file(std::span<const uint8_t> input);
// A valid segment, patched between any two reads, as a writer does that has gone mad.
void drive_reader_live(std::span<const uint8_t> input);
// A ring that is written, damaged and drained by turns.
void drive_reader_ring(std::span<const uint8_t> input);

}  // namespace liballoc::agent
