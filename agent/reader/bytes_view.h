// bytes_view.h - the only place where offsets into foreign bytes are computed.
//
// Every access is checked against the size of the view, by subtraction so that no sum can wrap.
// Values are copied out with memcpy; no pointer into the view is ever handed on.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace liballoc::agent {

class BytesView {
 public:
  BytesView() = default;
  explicit BytesView(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint64_t size() const { return bytes_.size(); }

  // True when [offset, offset + length) lies inside a range of `size` bytes.
  static constexpr bool fits(uint64_t offset, uint64_t length, uint64_t size) {
    return offset <= size && length <= size - offset;
  }

  std::optional<BytesView> sub(uint64_t offset, uint64_t length) const {
    if (!fits(offset, length, bytes_.size())) return std::nullopt;
    return BytesView(bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(length)));
  }

  template <typename T>
  std::optional<T> load(uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto part = sub(offset, sizeof(T));
    if (!part) return std::nullopt;
    T value;
    std::memcpy(&value, part->bytes_.data(), sizeof(T));
    return value;
  }

  // Copies the view into `out` if it fits there.
  bool copy_to(std::span<uint8_t> out) const {
    if (bytes_.size() > out.size()) return false;
    if (!bytes_.empty()) std::memcpy(out.data(), bytes_.data(), bytes_.size());
    return true;
  }

 private:
  std::span<const uint8_t> bytes_;
};

// A fixed field that holds a string: everything before the first NUL, at most the whole field.
template <size_t N>
std::string_view fixed_string(const char (&field)[N], size_t max_bytes = N) {
  const std::string_view all(field, max_bytes < N ? max_bytes : N);
  return all.substr(0, all.find('\0'));
}

}  // namespace liballoc::agent
