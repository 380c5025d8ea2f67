// format.h - figures for people: bytes, counts, times, aligned tables.
//
// Pure functions. What comes from a process is escaped here, so that no name can reach the terminal
// as a command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace liballoc::agent {

[[nodiscard]] std::string human_bytes(uint64_t bytes);  // "0 B", "1023 B", "1.5 KiB", "12.0 GiB"
[[nodiscard]] std::string human_count(uint64_t count);  // "1,234,567"
[[nodiscard]] std::string human_time(int64_t unix_seconds);  // "2024-01-31 23:59:59" UTC
[[nodiscard]] std::string human_percent(uint64_t part, uint64_t whole);  // "12.5 %", "-" of nothing

// Rows of cells, padded to columns, two blanks between them, no blanks at the end of a line.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<std::string> cells);  // missing cells are empty
  [[nodiscard]] std::string str() const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// As tables name them.
inline constexpr auto kLeft = TextTable::Align::kLeft;
inline constexpr auto kRight = TextTable::Align::kRight;

}  // namespace liballoc::agent
