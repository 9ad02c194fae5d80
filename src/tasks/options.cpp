#include "unmar/tasks/options.h"

#include <algorithm>

#include "base/fail.h"
#include "base/list_with_or.h"
#include "tasks/presets.h"
#include "tasks/task.h"

namespace unmar {
namespace {

void check_served(Task task, const OptionSpec& spec) {
  if (spec.serves(task)) return;
  std::vector<std::string> names;
  for (const Task other : spec.tasks) names.emplace_back(to_string(other));
  fail(ErrorCode::bad_argument, "{}: {} is not an option of this task; it belongs to {}",
       to_string(task), field(spec.name), list_with_or(names));
}

/// Whether a network file says this too.
bool describes_network(const OptionSpec& spec) {
  return spec.name == "network" || !spec.networks.empty();
}

void check_network(Task task, const RestoreOptions& given, const std::string& network) {
  for (const OptionSpec& spec : option_table()) {
    if (!describes_network(spec) || !spec.get(given)) continue;
    if (given.custom_network)
      fail(ErrorCode::bad_argument,
           "{}: {} is given beside a network file; write it into the file or leave the file out",
           to_string(task), field(spec.name));
    if (!spec.serves_network(network))
      fail(ErrorCode::bad_argument, "{}: {} is not an option of network '{}'; it belongs to {}",
           to_string(task), field(spec.name), network, list_with_or(spec.networks));
  }
}

/// A trained generator is the network, and its input is no picture.
bool of_untrained_network(const OptionSpec& spec) {
  return describes_network(spec) || spec.name == "input" || spec.name == "input-channels";
}

void check_prior(Task task, const RestoreOptions& given) {
  const bool gan = given.prior == FitPrior::gan;
  const auto refuse = [&](const std::string& what) {
    fail(ErrorCode::bad_argument,
         "{}: {} is given beside `prior` gan, whose `model` is the network and whose fits are "
         "`starts`; leave it out",
         to_string(task), what);
  };
  if (gan && given.custom_network) refuse("a network file");
  if (gan && given.runs.value_or(1) > 1) refuse("`runs`");
  if (gan && given.optimise.value_or(Optimise::weights) != Optimise::weights) refuse("`optimise`");
  for (const OptionSpec& spec : option_table()) {
    if (!spec.get(given)) continue;
    if (gan && of_untrained_network(spec)) refuse(field(spec.name));
    if (!gan && spec.for_gan)
      fail(ErrorCode::bad_argument, "{}: {} belongs to `prior` gan; give that or leave it out",
           to_string(task), field(spec.name));
  }
}

/// What no row of the table holds.
void carry_data(const RestoreOptions& from, RestoreOptions& to) {
  to.custom_network = from.custom_network;
  to.guide = from.guide;
  to.gan = from.gan;
  to.blur_kernel = from.blur_kernel;
  to.noise_model = from.noise_model;
  to.known = from.known;
}

}  // namespace

bool OptionSpec::serves(Task task) const {
  return tasks.empty() || std::find(tasks.begin(), tasks.end(), task) != tasks.end();
}

bool OptionSpec::serves_network(std::string_view name) const {
  return networks.empty() || std::find(networks.begin(), networks.end(), name) != networks.end();
}

const OptionSpec& option_spec(std::string_view name) {
  return find_option(option_table(), name, "options");
}

void set_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                const OptionValue& value) {
  check_served(task, spec);
  spec.put(options, checked_value(spec, value, to_string(task)));
}

void parse_option(RestoreOptions& options, Task task, const OptionSpec& spec,
                  std::string_view text) {
  const OptionValue value = parse_value(spec, text, to_string(task));
  check_served(task, spec);
  spec.put(options, value);
}

RestoreOptions resolve(Task task, const RestoreOptions& given) {
  RestoreOptions checked;
  for (const OptionSpec& spec : option_table())
    if (const auto value = spec.get(given)) set_option(checked, task, spec, *value);
  carry_data(given, checked);
  if (const auto check = task_spec(task).check) check(checked);
  check_prior(task, checked);

  const RestoreOptions preset = preset_options(task, checked);
  check_network(task, checked, preset.network.value());
  const bool gan = preset.prior == FitPrior::gan;
  RestoreOptions resolved;
  carry_data(given, resolved);
  for (const OptionSpec& spec : option_table()) {
    if (!spec.serves(task) || !spec.serves_network(*preset.network)) continue;
    if (checked.custom_network && describes_network(spec)) continue;
    if (gan ? of_untrained_network(spec) : spec.for_gan) continue;
    auto value = spec.get(checked);
    if (!value) value = spec.get(preset);
    if (value) spec.put(resolved, *value);
  }
  if (resolved.input == InputKind::filtered && resolved.method != Method::automatic)
    fail(ErrorCode::bad_argument,
         "{}: `input` filtered is the result of the filter, which only `method` auto has beside a "
         "fit; take another `input`",
         to_string(task));
  return resolved;
}

std::optional<OptionValue> preset_value(const OptionSpec& spec, Task task, Preset preset) {
  RestoreOptions given;
  given.preset = preset;
  return spec.get(preset_options(task, given));
}

}  // namespace unmar
