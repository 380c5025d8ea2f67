// result.h - a value or a typed error, for code that must not throw.
//
// A Result is never empty: it holds either a T or an E. Reading the side that is not there is a bug
// of ours and aborts (std::get terminates through the exception it would throw in a noexcept
// function).
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace liballoc::agent {

enum class ErrorCode {
  kInvalidArgument,  // the caller's value is wrong; the message names it and what is allowed
  kNotFound,
  kPermissionDenied,
  kUnavailable,  // may work later
  kResourceExhausted,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

// Marks an error on its way into a Result, so that T and E may be the same type.
template <typename E>
struct Failure {
  E error;
};
template <typename E>
Failure<std::decay_t<E>> failure(E&& error) {
  return {std::forward<E>(error)};
}
inline Failure<Error> failure(ErrorCode code, std::string message) {
  return {Error{code, std::move(message)}};
}

template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure<E> failed) : state_(std::in_place_index<1>, std::move(failed.error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & noexcept { return std::get<0>(state_); }
  const T& value() const& noexcept { return std::get<0>(state_); }
  T&& value() && noexcept { return std::get<0>(std::move(state_)); }
  const E& error() const noexcept { return std::get<1>(state_); }

  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

 private:
  std::variant<T, E> state_;
};

template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() = default;
  Result(Failure<E> failed) : state_(std::in_place_index<1>, std::move(failed.error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  const E& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<std::monostate, E> state_;
};

using Status = Result<void, Error>;

}  // namespace liballoc::agent
