#pragma once

#include "unmar/tasks/options.h"

namespace unmar {

/// Every option of the preset that `given` names (quick if none). The values may depend on what
/// `given` says of the damage: sigma and factor.
RestoreOptions preset_options(Task task, const RestoreOptions& given);

}  // namespace unmar
