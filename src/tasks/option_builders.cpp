#include "tasks/option_builders.h"

namespace unmar {
namespace {

/// T: the member's type. V: how an OptionValue holds it.
template <class T, class V = T>
OptionSpec row(std::string name, OptionSpec::Kind kind, Member<T> member, std::string help) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.help = std::move(help);
  spec.get = [member](const RestoreOptions& o) -> std::optional<OptionValue> {
    if (!(o.*member)) return std::nullopt;
    return static_cast<V>(*(o.*member));
  };
  spec.put = [member](RestoreOptions& o, const OptionValue& value) {
    o.*member = static_cast<T>(std::get<V>(value));
  };
  return spec;
}

OptionSpec ranged(OptionSpec spec, double low, double high) {
  spec.low = low;
  spec.high = high;
  return spec;
}

}  // namespace

OptionSpec flag(std::string name, Member<bool> member, std::string help) {
  return row(std::move(name), OptionSpec::Kind::flag, member, std::move(help));
}

OptionSpec integer(std::string name, Member<int> member, int low, int high, std::string help) {
  return ranged(
      row<int, std::int64_t>(std::move(name), OptionSpec::Kind::integer, member, std::move(help)),
      low, high);
}

OptionSpec integer(std::string name, Member<std::int64_t> member, std::int64_t low,
                   std::int64_t high, std::string help) {
  return ranged(row(std::move(name), OptionSpec::Kind::integer, member, std::move(help)),
                static_cast<double>(low), static_cast<double>(high));
}

OptionSpec one_of(std::string name, Member<int> member, std::vector<int> values, std::string help) {
  OptionSpec spec =
      row<int, std::int64_t>(std::move(name), OptionSpec::Kind::integer, member, std::move(help));
  for (const int value : values) spec.choices.push_back(std::to_string(value));
  return spec;
}

OptionSpec one_of_names(std::string name, Member<std::string> member,
                        std::vector<std::string> values, std::string help) {
  OptionSpec spec = row(std::move(name), OptionSpec::Kind::choice, member, std::move(help));
  spec.choices = std::move(values);
  return spec;
}

OptionSpec number(std::string name, Member<double> member, double low, double high,
                  std::string help) {
  return ranged(row(std::move(name), OptionSpec::Kind::number, member, std::move(help)), low, high);
}

OptionSpec text(std::string name, Member<std::string> member, std::string help) {
  return row(std::move(name), OptionSpec::Kind::text, member, std::move(help));
}

}  // namespace unmar
