#include "tasks/schema.h"

#include "unmar/tasks/options.h"

namespace unmar {

using Json = nlohmann::ordered_json;

Json schema_of(const OptionInfo& spec, const std::optional<OptionValue>& standard) {
  using Kind = OptionInfo::Kind;
  Json json = {{"title", spec.name}, {"description", spec.help}};
  switch (spec.kind) {
    case Kind::flag:
      json["type"] = "boolean";
      break;
    case Kind::integer:
      json["type"] = "integer";
      break;
    case Kind::number:
      json["type"] = "number";
      break;
    case Kind::choice:
    case Kind::text:
      json["type"] = "string";
      break;
  }
  if (spec.kind == Kind::integer && !spec.choices.empty()) {
    for (const std::string& choice : spec.choices) json["enum"].push_back(std::stoi(choice));
  } else if (spec.kind == Kind::choice) {
    json["enum"] = spec.choices;
  } else if (!spec.choices.empty()) {
    json["x-forms"] = spec.choices;
  } else if (spec.kind == Kind::integer) {
    json["minimum"] = static_cast<std::int64_t>(spec.low);
    json["maximum"] = static_cast<std::int64_t>(spec.high);
  } else if (spec.kind == Kind::number) {
    json["minimum"] = spec.low;
    json["maximum"] = spec.high;
  }
  if (standard) std::visit([&](const auto& v) { json["default"] = v; }, *standard);
  // For forms; validators pass over what they do not know.
  json["x-group"] = spec.group;
  if (!spec.unit.empty()) json["x-unit"] = spec.unit;
  json["x-basic"] = spec.basic;
  return json;
}

std::string schema_text(const std::string& title, const Json& properties, const Json& required) {
  const Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", title},
                       {"type", "object"},
                       {"properties", properties},
                       {"required", required},
                       {"additionalProperties", false}};
  return schema.dump(2) + "\n";
}

std::string options_schema(Task task) {
  Json properties = Json::object(), required = Json::array();
  for (const OptionSpec& spec : option_table()) {
    if (!spec.serves(task)) continue;
    properties[spec.name] = schema_of(spec, preset_value(spec, task, Preset::quick));
    if (spec.required) required.push_back(spec.name);
  }
  return schema_text(to_string(task), properties, required);
}

}  // namespace unmar
