#include "unmar/tasks/version.h"

namespace unmar {

const char* version() { return UNMAR_VERSION; }
const char* libvips_version() { return UNMAR_VIPS_VERSION; }

}  // namespace unmar
