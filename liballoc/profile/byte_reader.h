// byte_reader.h - reads the numbers of unwind tables out of a range. Never reads outside it: the
// first read that would makes ok() false for good and gives 0, as does every one after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace liballoc {

class ByteReader {
 public:
  ByteReader(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  const uint8_t* position() const { return at_; }

  template <typename T>
  T fixed() {
    T value{};
    if (!take(sizeof(T))) return value;
    memcpy(&value, at_ - sizeof(T), sizeof(T));
    return value;
  }
  void skip(size_t bytes) { take(bytes); }

  uint64_t uleb() {
    unsigned shift = 0;
    uint8_t last = 0;
    return leb(&shift, &last);
  }
  int64_t sleb() {
    unsigned shift = 0;
    uint8_t last = 0;
    uint64_t value = leb(&shift, &last);
    if (shift < 64 && (last & 0x40) != 0) value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
  }

 private:
  bool take(size_t bytes) {
    if (!ok_ || bytes > static_cast<size_t>(end_ - at_)) return ok_ = false;
    at_ += bytes;
    return true;
  }

  uint64_t leb(unsigned* shift, uint8_t* last) {
    uint64_t value = 0;
    do {
      *last = fixed<uint8_t>();
      if (*shift >= 64) ok_ = false;  // longer than any number that a table has a use for
      if (!ok_) return 0;
      value |= static_cast<uint64_t>(*last & 0x7f) << *shift;
      *shift += 7;
    } while ((*last & 0x80) != 0);
    return value;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

}  // namespace liballoc
