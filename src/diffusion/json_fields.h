#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fail.h"
#include "data/printable.h"
#include "diffusion/python_json.h"

namespace unmar::diffusion {

using Json = nlohmann::ordered_json;

template <class E>
using EnumNames = std::vector<std::pair<E, std::string_view>>;

/// Reads one JSON object key by key; a key that is not there leaves the value as it is.
class JsonFields {
 public:
  JsonFields(std::string_view text, std::string where)
      : json_(Json::parse(plain_json(text), nullptr, false)), where_(std::move(where)) {
    if (!json_.is_object()) fail(ErrorCode::bad_input, "{}: not a JSON object", where_);
  }

  /// Null: there is no such key.
  const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }

  void read(const char* key, bool& value) const {
    const Json* json = find(key);
    if (json == nullptr) return;
    if (!json->is_boolean()) refuse(key, "true or false");
    value = json->get<bool>();
  }
  void read(const char* key, int& value, int least, int most) const {
    const Json* json = find(key);
    if (json != nullptr) value = whole_number(key, *json, least, most);
  }
  void read(const char* key, double& value, double least, double most) const {
    const Json* json = find(key);
    if (json == nullptr) return;
    const double number = json->is_number() ? json->get<double>() : std::nan("");
    if (!(number >= least && number <= most))
      refuse(key, fmt::format("a number from {} to {}", least, most));
    value = number;
  }
  template <class E>
  void read(const char* key, E& value, const EnumNames<E>& names) const {
    const Json* json = find(key);
    if (json == nullptr) return;
    std::string known;
    for (const auto& [e, name] : names) {
      if (*json == name) {
        value = e;
        return;
      }
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    refuse(key, "one of " + known, ErrorCode::unsupported);
  }
  /// Where only some values can be handled: the key must be missing, null or one of these.
  void require(const char* key, const std::vector<Json>& values) const {
    const Json* json = find(key);
    if (json == nullptr || json->is_null()) return;
    std::string known;
    for (const Json& value : values) {
      if (*json == value) return;
      known += (known.empty() ? "" : " or ") + value.dump();
    }
    refuse(key, known.empty() ? "null" : known, ErrorCode::unsupported);
  }

  int whole_number(const char* key, const Json& json, int least, int most) const {
    // As double, so that no number is too large to be looked at.
    const double number = json.is_number_integer() ? json.get<double>() : std::nan("");
    if (!(number >= least && number <= most))
      refuse(key, fmt::format("a whole number from {} to {}", least, most));
    return static_cast<int>(number);
  }
  [[noreturn]] void refuse(const char* key, const std::string& wanted,
                           ErrorCode code = ErrorCode::bad_input) const {
    fail(code, "{}: '{}' is {}; it must be {}", where_, key,
         data::printable(json_[key].dump(-1, ' ', true, Json::error_handler_t::replace)), wanted);
  }
  const std::string& where() const { return where_; }

 private:
  Json json_;
  std::string where_;
};

}  // namespace unmar::diffusion
