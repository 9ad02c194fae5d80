#pragma once

#include <cstdint>
#include <vector>

#include "unmar/base/option.h"

/// Options that trainings of all kinds have.
namespace unmar::runs {

template <class T>
std::vector<Option<T>> picture_rows() {
  return {unset_at(std::int64_t{0},
                   shown_as("PX", integer("size", &T::size, 1, 4096,
                                          "side of the pictures; those of a folder are resized "
                                          "(default 64), those of an IDX file padded (default "
                                          "as they are)"))),
          flag("gray", &T::gray, "make the pictures of a folder gray")};
}

template <class T>
std::vector<Option<T>> running_rows() {
  return {
      integer("iterations", &T::iterations, 1, 1'000'000'000, "updates of the weights"),
      integer("threads", &T::threads, 0, 1024,
              "cores to use, 0 for all; the result does not depend on it"),
      shown_as("SECONDS", number("checkpoint-every", &T::checkpoint_every, 0, 1e6,
                                 "time between the states that are saved, and the model with "
                                 "them")),
      unset_at(std::int64_t{0},
               integer("samples", &T::samples, 0, 1'000'000'000,
                       "draw 64 samples after every N iterations, into the folder samples (default "
                       "never)")),
  };
}

}  // namespace unmar::runs
