#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "unmar/base/option.h"

/// JSON schemas of option tables.
namespace unmar {

/// standard: what the option is if it is not given; empty: nothing.
nlohmann::ordered_json schema_of(const OptionInfo& option,
                                 const std::optional<OptionValue>& standard);
std::string schema_text(const std::string& title, const nlohmann::ordered_json& properties,
                        const nlohmann::ordered_json& required);

/// Of a table whose defaults are those of the struct.
template <class O>
std::string table_schema(const std::string& title, const std::vector<Option<O>>& table) {
  auto properties = nlohmann::ordered_json::object(), required = nlohmann::ordered_json::array();
  for (const Option<O>& option : table) {
    properties[option.name] = schema_of(option, option.get(O{}));
    if (option.required) required.push_back(option.name);
  }
  return schema_text(title, properties, required);
}

}  // namespace unmar
