#pragma once

#include <string>
#include <utility>
#include <vector>

#include "unmar/tasks/options.h"

/// What the rows of the tasks' table say beside those of unmar/base/option.h.
namespace unmar {

inline OptionSpec only_for(std::vector<Task> tasks, OptionSpec spec) {
  spec.tasks = std::move(tasks);
  return spec;
}
/// An option of these networks only.
inline OptionSpec of_networks(std::vector<std::string> networks, OptionSpec spec) {
  spec.networks = std::move(networks);
  return spec;
}

inline OptionSpec for_gan(OptionSpec spec) {
  spec.for_gan = true;
  return spec;
}

}  // namespace unmar
