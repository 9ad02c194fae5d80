#include "base/fail.h"
#include "unmar/fit/fit.h"

namespace unmar {

void Stopper::serialize(Archive&) {
  fail(ErrorCode::unsupported,
       "stopper '{}': cannot be saved; give it a serialize() or leave the checkpoints out", name());
}

}  // namespace unmar
