#pragma once

#include <memory>
#include <vector>

#include "engine/cuda/passes.h"

namespace unmar::cuda {

/// Times the steps of a program by marks between their launches.
class StepClock {
 public:
  StepClock(const Graph& graph, const ProgramPlan& plan, const Passes& passes,
            std::size_t parameters, const std::shared_ptr<CardInUse>& card);

  /// One whole step, launch by launch; copy: where its values are published.
  void queue_step(Queue& queue, int copy);
  /// The queue is done with it.
  void take_times();

  /// A row for each step of the plan, with mean times, and for what is around them.
  std::vector<StepProfile> rows() const;

 private:
  /// Launches in a row that belong together.
  struct Stretch {
    std::size_t row;
    bool backward;
    std::vector<Launch> launches;
  };
  void add(std::size_t row, bool backward, const Launch& launch, int copy);
  std::size_t add_row(const char* name, const char* kind);

  std::vector<StepProfile> rows_;      ///< their times are sums
  std::vector<Stretch> stretches_[2];  ///< by copy
  std::unique_ptr<Marks> marks_;
  int copy_ = 0, iterations_ = 0;
};

}  // namespace unmar::cuda
