#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// Options of networks as JSON values and back. read() returns whether a value suits; if not,
/// what() says in the error what would. An enum has names() beside it: names(E) -> Names<E>.
namespace unmar::json {

using Json = nlohmann::ordered_json;

/// Of an enumerator with several names the first is written.
template <class E>
using Names = std::vector<std::pair<E, std::string>>;

constexpr int kMost = 1 << 20;  ///< of a whole number

inline Json write(int value) { return value; }
inline Json write(float value) { return value; }
inline Json write(bool value) { return value; }
template <class E>
requires std::is_enum_v<E> Json write(E value) {
  for (const auto& [e, name] : names(value))
    if (e == value) return name;
  return nullptr;
}
template <class T>
Json write(const std::vector<T>& list) {
  Json json = Json::array();
  for (const T& value : list) json.push_back(write(value));
  return json;
}
template <class T>
Json write(const std::optional<T>& value) {
  return value ? write(*value) : Json(nullptr);
}

inline bool read(const Json& json, int& value) {
  if (!json.is_number_integer() || json < 0 || json > kMost) return false;
  json.get_to(value);
  return true;
}
inline bool read(const Json& json, float& value) {
  if (json.is_number()) json.get_to(value);
  return json.is_number();
}
inline bool read(const Json& json, bool& value) {
  if (json.is_boolean()) json.get_to(value);
  return json.is_boolean();
}
template <class E>
requires std::is_enum_v<E>
bool read(const Json& json, E& value) {
  for (const auto& [e, name] : names(value))
    if (json == name) {
      value = e;
      return true;
    }
  return false;
}
template <class T>
bool read(const Json& json, std::vector<T>& list) {
  if (!json.is_array() || json.empty()) return false;
  list.assign(json.size(), T{});
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!read(json[i], list[i])) return false;
  return true;
}
template <class T>
bool read(const Json& json, std::optional<T>& value) {
  value.reset();
  return json.is_null() || read(json, value.emplace());
}

inline std::string what(int) { return "a whole number from 0 to " + std::to_string(kMost); }
inline std::string what(float) { return "a number"; }
inline std::string what(bool) { return "true or false"; }
template <class E>
requires std::is_enum_v<E> std::string what(E value) {
  std::string list;
  for (const auto& [e, name] : names(value)) list += (list.empty() ? "" : ", ") + name;
  return "one of " + list;
}
template <class T>
std::string what(const std::vector<T>&) {
  return "a list; each entry is " + what(T{});
}
template <class T>
std::string what(const std::optional<T>&) {
  return "null or " + what(T{});
}

}  // namespace unmar::json
