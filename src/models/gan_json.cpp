#include <algorithm>

#include "base/fail.h"
#include "models/json_values.h"
#include "unmar/models/gan.h"

namespace unmar {
namespace {

constexpr const char* kGanClass = "UnmarGan";

template <class O, class F>
void gan_fields(O& o, F field) {
  field("size", o.size);
  field("channels", o.channels);
  field("latent", o.latent);
  field("width", o.width);
  field("kernel", o.kernel);
}

void require_gan(const json::Json& given, const std::string& where) {
  const auto name = given.find("_class_name");
  if (name == given.end())
    fail(ErrorCode::bad_input, "{}: does not say what model it is of ('_class_name' is missing)",
         where);
  if (*name != kGanClass)
    fail(ErrorCode::bad_input,
         "{}: is of another kind of model, {}, not of a GAN; give a folder that 'unmar gan train' "
         "made",
         where, name->dump(-1, ' ', true, json::Json::error_handler_t::replace));
}

}  // namespace

std::string gan_to_json(const GanOptions& options) {
  json::Json object{{"_class_name", kGanClass}};
  gan_fields(options, [&](const char* key, int value) { object[key] = value; });
  return object.dump(2);
}

GanOptions gan_from_json(std::string_view text, const std::string& where) {
  const json::Json given = json::Json::parse(text, nullptr, false);
  if (!given.is_object()) fail(ErrorCode::bad_input, "{}: not a JSON object", where);
  require_gan(given, where);
  GanOptions o;
  std::vector<std::string> known;
  gan_fields(o, [&](const char* key, int& value) {
    known.emplace_back(key);
    if (!given.contains(key)) fail(ErrorCode::bad_input, "{}: '{}' is missing", where, key);
    if (!json::read(given[key], value))
      fail(ErrorCode::bad_input, "{}: '{}' is {}; give {}", where, key,
           given[key].dump(-1, ' ', true, json::Json::error_handler_t::replace), json::what(value));
  });
  for (const auto& item : given.items())
    if (!item.key().starts_with("_") && std::ranges::find(known, item.key()) == known.end())
      fail(ErrorCode::bad_input, "{}: a GAN has no option '{}'; did you mean {}?", where,
           item.key(), closest(item.key(), known));
  try {
    check_gan(o, where);
  } catch (const Error& error) {
    throw Error(ErrorCode::bad_input, error.what());
  }
  return o;
}

}  // namespace unmar
