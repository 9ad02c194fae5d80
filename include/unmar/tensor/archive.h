#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "unmar/tensor/tensor.h"

namespace unmar {

/// Takes bytes in order: a file, a checksum.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(const char* bytes, std::size_t size) = 0;
};

/// Values in a row of bytes, exact to the bit, each behind a letter that says its type: how a fit
/// is saved and taken up again. One function serves both ways, so that they cannot drift apart:
///
///   void serialize(Archive& archive) { archive(count_, mean_, window_); }
///
/// It holds bool, int, 64-bit integers, float, double, texts, tensors, and vectors and optionals of
/// what it holds; also classes with such a serialize(), or a free serialize(Archive&, T&) beside
/// them. The byte order is that of the machine.
class Archive {
 public:
  /// Collects what is passed to it.
  Archive() = default;
  /// Hands what is passed to it on to `sink`, which it borrows, so that nothing is held twice.
  explicit Archive(ByteSink& sink) : sink_(&sink) {}
  /// Fills what is passed to it from `bytes`, which it borrows. Its errors open with `where`.
  Archive(std::string_view bytes, std::string where)
      : reading_(true), rest_(bytes), where_(std::move(where)) {}

  bool reading() const { return reading_; }
  std::string take() { return std::move(bytes_); }  ///< what was collected
  /// The bytes that were not read yet, for what reads them itself; it is at its end then.
  std::string_view take_rest() { return std::exchange(rest_, {}); }

  /// throws Error{bad_input} when reading what is damaged, cut short or of another type. Never
  /// takes more memory than a few times the bytes that there are.
  template <class... T>
  void operator()(T&... values) {
    (item(values), ...);
  }
  /// For values that were read: throws Error{bad_input} unless they make sense.
  void require(bool sensible, const char* otherwise) const {
    if (!sensible) damaged(otherwise);
  }
  /// Call after reading: throws Error{bad_input} if there is more.
  void expect_end() const { require(rest_.empty(), "it holds more than is due"); }

 private:
  template <class T>
  static constexpr char letter() {
    if constexpr (std::same_as<T, bool>) return 'b';
    if constexpr (std::same_as<T, char>) return 'c';
    if constexpr (std::same_as<T, unsigned char>) return 'y';
    if constexpr (std::same_as<T, int>) return 'i';
    if constexpr (std::same_as<T, std::int64_t>) return 'l';
    if constexpr (std::same_as<T, std::uint64_t>) return 'u';
    if constexpr (std::same_as<T, float>) return 'f';
    if constexpr (std::same_as<T, double>) return 'd';
    return 0;
  }

  template <class T>
  void item(T& value) {
    if constexpr (std::same_as<T, bool>) {
      // Another byte than 0 and 1 is no bool.
      unsigned char byte = value;
      tag('b');
      raw(&byte, 1);
      if (byte > 1) damaged("a switch is neither on nor off");
      value = byte == 1;
    } else if constexpr (letter<T>() != 0) {
      tag(letter<T>());
      raw(&value, sizeof value);
    } else if constexpr (std::is_enum_v<T>) {
      static_assert(!std::is_enum_v<T>, "store an enum as an int that is checked");
    } else if constexpr (requires { value.serialize(*this); }) {
      value.serialize(*this);
    } else {
      serialize(*this, value);
    }
  }
  void item(std::string& text);
  void item(Tensor& tensor);

  template <class T>
  void item(std::vector<T>& list) {
    tag('[');
    std::uint64_t count = list.size();
    raw(&count, sizeof count);
    if constexpr (letter<T>() != 0 && !std::same_as<T, bool>) {
      tag(letter<T>());
      reserve(count, sizeof(T));
      list.resize(count);
      raw(list.data(), count * sizeof(T));
    } else {
      reserve(count, 1);
      if (reading_) list = std::vector<T>(count);
      for (T& value : list) item(value);
    }
  }

  template <class T>
  void item(std::optional<T>& value) {
    tag('?');
    bool has = value.has_value();
    item(has);
    if (reading_) value = has ? std::optional<T>(T{}) : std::nullopt;
    if (has) item(*value);
  }

  void tag(char letter);
  void raw(void* data, std::size_t size);
  /// throws unless as many items of at least `size` bytes can follow.
  void reserve(std::uint64_t count, std::size_t size) const;
  [[noreturn]] void damaged(const char* why) const;

  bool reading_ = false;
  ByteSink* sink_ = nullptr;
  std::string bytes_;
  std::string_view rest_;
  std::string where_;
};

}  // namespace unmar
