#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// Options as data: each is declared once, as a row that says its name, its values, its help and
/// which member of a struct it sets. Command lines, help texts, manifests, JSON schemas and the
/// docs read such tables.
namespace unmar {

using OptionValue = std::variant<bool, std::int64_t, double, std::string>;

/// What there is to know of an option but the struct that it sets.
struct OptionInfo {
  enum class Kind { flag, integer, number, choice, text };

  std::string name;   ///< "reg-noise-std": the flag without its dashes, the key in JSON
  std::string group;  ///< heading in help texts
  Kind kind = Kind::flag;
  std::string unit;                  ///< "iterations", "dB"; may be empty
  double low = 0, high = 0;          ///< inclusive range of integer and number
  std::vector<std::string> choices;  ///< the values of a choice; of an integer if it has no range;
                                     ///< the forms of a text
  std::string help;                  ///< one phrase of what it is, then ';' and more
  bool basic = false;                ///< a newcomer needs it: the short help text shows it
  bool required = false;             ///< cannot do without
  std::string alias = {};            ///< another flag for it, with its dashes: "-n"
  std::string placeholder = {};      ///< of a value in help texts; empty: N, X, NAME or the choices
};

/// An option of the struct O.
template <class O>
struct Option : OptionInfo {
  std::function<std::optional<OptionValue>(const O&)> get;  ///< empty: it is not set
  std::function<void(O&, const OptionValue&)> put;          ///< unchecked: see checked_value()
};

/// "0 to 255", "nearest or bilinear"
std::string allowed_values(const OptionInfo& option);
std::string to_text(const OptionValue& value);  ///< numbers in short form

/// The value in the form that put() takes: a whole number becomes a real one where that is meant.
/// throws Error{bad_argument}, opened by `where`, that names the option, its range and the value.
OptionValue checked_value(const OptionInfo& option, const OptionValue& value,
                          std::string_view where);
/// The same from text; a flag's is "true" or "false".
OptionValue parse_value(const OptionInfo& option, std::string_view text, std::string_view where);

/// The row of that name. throws Error{bad_argument}, opened by `where`, if there is none.
std::size_t option_index(const std::vector<std::string_view>& names, std::string_view name,
                         std::string_view where);
template <class Row>
const Row& find_option(const std::vector<Row>& table, std::string_view name,
                       std::string_view where) {
  std::vector<std::string_view> names;
  for (const Row& row : table) names.push_back(row.name);
  return table[option_index(names, name, where)];
}

// Makers of rows. A member may be a T or a std::optional<T>, which is not set while it is empty.

template <class M>
struct MemberValue {
  using type = M;
};
template <class T>
struct MemberValue<std::optional<T>> {
  using type = T;
};
template <class M>
using member_value = typename MemberValue<M>::type;

/// V: how an OptionValue holds it.
template <class V, class O, class M>
Option<O> option_row(OptionInfo::Kind kind, std::string name, M O::*member, std::string help) {
  Option<O> row;
  row.kind = kind;
  row.name = std::move(name);
  row.help = std::move(help);
  row.get = [member](const O& o) -> std::optional<OptionValue> {
    if constexpr (std::is_same_v<M, member_value<M>>) {
      return OptionValue(static_cast<V>(o.*member));
    } else {
      if (!(o.*member)) return std::nullopt;
      return OptionValue(static_cast<V>(*(o.*member)));
    }
  };
  row.put = [member](O& o, const OptionValue& value) {
    o.*member = static_cast<member_value<M>>(std::get<V>(value));
  };
  return row;
}

template <class O, class M>
Option<O> flag(std::string name, M O::*member, std::string help) {
  return option_row<bool>(OptionInfo::Kind::flag, std::move(name), member, std::move(help));
}
template <class O, class M>
Option<O> integer(std::string name, M O::*member, std::int64_t low, std::int64_t high,
                  std::string help) {
  auto row =
      option_row<std::int64_t>(OptionInfo::Kind::integer, std::move(name), member, std::move(help));
  row.low = static_cast<double>(low);
  row.high = static_cast<double>(high);
  return row;
}
template <class O, class M>
Option<O> one_of(std::string name, M O::*member, const std::vector<int>& values, std::string help) {
  auto row =
      option_row<std::int64_t>(OptionInfo::Kind::integer, std::move(name), member, std::move(help));
  for (const int value : values) row.choices.push_back(std::to_string(value));
  return row;
}
template <class O, class M>
Option<O> number(std::string name, M O::*member, double low, double high, std::string help) {
  auto row = option_row<double>(OptionInfo::Kind::number, std::move(name), member, std::move(help));
  row.low = low;
  row.high = high;
  return row;
}
template <class O, class M>
Option<O> text(std::string name, M O::*member, std::string help) {
  return option_row<std::string>(OptionInfo::Kind::text, std::move(name), member, std::move(help));
}
template <class O, class M>
Option<O> one_of_names(std::string name, M O::*member, std::vector<std::string> values,
                       std::string help) {
  auto row =
      option_row<std::string>(OptionInfo::Kind::choice, std::move(name), member, std::move(help));
  row.choices = std::move(values);
  return row;
}
/// Names for the values of an enum.
template <class E>
using EnumNames = std::vector<std::pair<std::string, E>>;
template <class E>
std::string name_of(E value, const EnumNames<E>& names) {
  for (const auto& [name, named] : names)
    if (named == value) return name;
  return "unknown";
}
template <class O, class M>
Option<O> choice(std::string name, M O::*member, EnumNames<member_value<M>> values,
                 std::string help) {
  Option<O> row;
  row.kind = OptionInfo::Kind::choice;
  row.name = std::move(name);
  row.help = std::move(help);
  for (const auto& [label, value] : values) row.choices.push_back(label);
  row.get = [member, values](const O& o) -> std::optional<OptionValue> {
    for (const auto& [label, value] : values)
      if (o.*member == value) return label;
    return std::nullopt;
  };
  row.put = [member, values](O& o, const OptionValue& given) {
    for (const auto& [label, value] : values)
      if (std::get<std::string>(given) == label) o.*member = value;
  };
  return row;
}
/// "32,64": whole numbers from 1 on. `none`, if it is not empty, is the word for {0}.
/// throws Error{bad_argument}, opened by the option's name.
std::vector<int> parse_list(std::string_view text, std::string_view none, std::string_view name);
std::string list_text(const std::vector<int>& numbers, std::string_view none);
/// Such a list; an empty one is not set.
template <class O>
Option<O> list(std::string name, std::vector<int> O::*member, std::string none, std::string help) {
  Option<O> row;
  row.kind = OptionInfo::Kind::text;
  row.name = std::move(name);
  row.help = std::move(help);
  row.choices = {"N,N,..."};
  if (!none.empty()) row.choices.push_back(none);
  row.get = [member, none](const O& o) -> std::optional<OptionValue> {
    if ((o.*member).empty()) return std::nullopt;
    return list_text(o.*member, none);
  };
  row.put = [member, none, name = row.name](O& o, const OptionValue& value) {
    o.*member = parse_list(std::get<std::string>(value), none, name);
  };
  return row;
}

// What else there is to say of a row.

template <class Row>
Row basic(Row row) {
  row.basic = true;
  return row;
}
template <class Row>
Row required(Row row) {
  row.required = true;
  return row;
}
template <class Row>
Row in_unit(std::string unit, Row row) {
  row.unit = std::move(unit);
  return row;
}
/// What a text may look like, for help texts.
template <class Row>
Row in_forms(std::vector<std::string> forms, Row row) {
  row.choices = std::move(forms);
  return row;
}
template <class Row>
Row shown_as(std::string placeholder, Row row) {
  row.placeholder = std::move(placeholder);
  return row;
}
template <class Row>
Row with_alias(std::string flag, Row row) {
  row.alias = std::move(flag);
  return row;
}
/// A member that counts as not set while it has this value.
template <class O>
Option<O> unset_at(OptionValue value, Option<O> row) {
  row.get = [value, get = row.get](const O& o) -> std::optional<OptionValue> {
    auto current = get(o);
    if (current == value) current.reset();
    return current;
  };
  return row;
}
/// Appends rows to a table, under a heading.
template <class Row>
void add_group(std::vector<Row>& table, const std::string& group,
               std::type_identity_t<std::vector<Row>> rows) {
  for (Row& row : rows) {
    row.group = group;
    table.push_back(std::move(row));
  }
}

}  // namespace unmar
