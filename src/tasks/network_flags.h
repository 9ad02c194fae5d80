#pragma once

#include "unmar/tasks/options.h"

namespace unmar {

/// Gives the options of the network `o.network` that are empty the values of its default.
void fill_network_options(RestoreOptions& o);

}  // namespace unmar
