#pragma once

#include <optional>

#include "image/samples.h"

namespace unmar::image {

/// Beyond `near` a single value is an outlier; beyond `far` any is.
struct Fences {
  ValueRange near, far;
  bool given = false;  ///< by the user: what lies outside is none of the picture, alone or not
};

/// From percentiles of values of a picture; none if most of them are equal.
std::optional<Fences> fences_of(std::vector<double> values);

/// Marks what lies outside of the fences: groups of samples without a square of 3x3 that stand out
/// of their neighbours as outliers, samples of others beyond `far` as kept.
void mark_outliers(Samples& samples, const Fences& fences, Outliers how);

}  // namespace unmar::image
