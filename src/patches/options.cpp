#include "patches/options.h"

#include "base/fail.h"

namespace unmar::patches {
namespace {

int checked(const char* name, int given, int otherwise, int most) {
  if (given < 0 || given > most)
    fail(ErrorCode::bad_argument, "patches: {} must be from 1 to {} (0: the default), got {}", name,
         most, given);
  return given > 0 ? given : otherwise;
}

}  // namespace

PatchOptions with_defaults(const PatchOptions& given) {
  PatchOptions options = given;
  options.size = checked("size", given.size, 6, 16);
  options.group = checked("group", given.group, 64, 256);
  options.radius = checked("radius", given.radius, 20, 100);
  options.step = checked("step", given.step, 3, options.size);
  options.iterations = checked("iterations", given.iterations, 5, 100);
  return options;
}

}  // namespace unmar::patches
