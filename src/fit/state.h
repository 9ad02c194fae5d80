#pragma once

#include "unmar/fit/fit.h"

namespace unmar {

// For Archive.
void serialize(Archive& archive, HistoryRow& row);
void serialize(Archive& archive, WatchedRow& row);
void serialize(Archive& archive, Watched& watched);
void serialize(Archive& archive, FittedPart& part);

bool same_shapes(const TrainState& a, const TrainState& b);
/// throws Error{bad_input} telling the sizes of both networks if what was read is not like `own`.
void require_same_network(const TrainState& read, const TrainState& own);

}  // namespace unmar
