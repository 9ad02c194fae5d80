#pragma once

#include <string>
#include <utility>
#include <vector>

#include "unmar/tasks/options.h"

/// Each makes one row of the option table from a member of RestoreOptions. Set `.unit` and `.tasks`
/// with in_unit(), only_for() and basic().
namespace unmar {

template <class T>
using Member = std::optional<T> RestoreOptions::*;

OptionSpec flag(std::string name, Member<bool> member, std::string help);
OptionSpec integer(std::string name, Member<int> member, int low, int high, std::string help);
OptionSpec integer(std::string name, Member<std::int64_t> member, std::int64_t low,
                   std::int64_t high, std::string help);
OptionSpec one_of(std::string name, Member<int> member, std::vector<int> values, std::string help);
OptionSpec number(std::string name, Member<double> member, double low, double high,
                  std::string help);
OptionSpec one_of_names(std::string name, Member<std::string> member,
                        std::vector<std::string> values, std::string help);
OptionSpec text(std::string name, Member<std::string> member, std::string help);

template <class E>
OptionSpec choice(std::string name, Member<E> member, std::vector<std::pair<std::string, E>> values,
                  std::string help) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.kind = OptionSpec::Kind::choice;
  spec.help = std::move(help);
  for (const auto& [label, value] : values) spec.choices.push_back(label);
  spec.get = [member, values](const RestoreOptions& o) -> std::optional<OptionValue> {
    for (const auto& [label, value] : values)
      if (o.*member == value) return label;
    return std::nullopt;
  };
  spec.put = [member, values](RestoreOptions& o, const OptionValue& given) {
    for (const auto& [label, value] : values)
      if (std::get<std::string>(given) == label) o.*member = value;
  };
  return spec;
}

inline OptionSpec basic(OptionSpec spec) {
  spec.basic = true;
  return spec;
}
inline OptionSpec in_unit(std::string unit, OptionSpec spec) {
  spec.unit = std::move(unit);
  return spec;
}
inline OptionSpec only_for(std::vector<Task> tasks, OptionSpec spec) {
  spec.tasks = std::move(tasks);
  return spec;
}
inline OptionSpec required(OptionSpec spec) {
  spec.required = true;
  return spec;
}
/// What a text may look like, for help texts.
inline OptionSpec in_forms(std::vector<std::string> forms, OptionSpec spec) {
  spec.choices = std::move(forms);
  return spec;
}
/// An option of these networks only.
inline OptionSpec of_networks(std::vector<std::string> networks, OptionSpec spec) {
  spec.networks = std::move(networks);
  return spec;
}

}  // namespace unmar
