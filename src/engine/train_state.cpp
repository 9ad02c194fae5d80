#include "unmar/engine/engine.h"
#include "unmar/tensor/archive.h"

namespace unmar {

void serialize(Archive& archive, TrainState& state) {
  // The names in brackets make a new member an error here until it is saved too.
  auto& [params, m, v, updates, averages] = state;
  archive(params, m, v, updates, averages);
}

}  // namespace unmar
