#include <nlohmann/json.hpp>

#include "modules.h"
