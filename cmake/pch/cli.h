#include <CLI/CLI.hpp>

#include "modules_json.h"
