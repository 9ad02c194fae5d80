#include <gtest/gtest.h>

#include "count_allocations.h"
#include "unmar/base/random.h"
#include "unmar/fit/fit.h"

namespace unmar::test {
namespace allocation_test {

/// Of the standard network and the fast engine; `ref` is naive in this, too.
class Allocation : public ::testing::Test {
 protected:
  Allocation() {
    Tensor y({1, 3, 64, 64});
    Random(1, "y").uniform(y.values(), 0.f, 1.f);
    problem_ = make_problem(y, y.shape(), *make_identity(), {});
  }

  Problem problem_;
  std::unique_ptr<Engine> engine_ = make_engine("cpu");
};

TEST_F(Allocation, IsCounted) {
  start_counting();
  Tensor t({1, 1, 2, 2});
  const auto values = std::make_unique<std::vector<int>>(3);
  EXPECT_EQ(stop_counting(), 3u) << "the tensor's, the vector, its numbers";
}

TEST_F(Allocation, DoesNotHappenInTheStepsOfAProgramAndItsReads) {
  const auto program = engine_->compile(problem_.graph, {.threads = 2});
  Tensor out(problem_.graph.shape(problem_.restored)), loss(Shape{});
  start_counting();
  for (int i = 0; i < 3; ++i) {
    program->step({}, i);
    program->read(problem_.restored, out);
    program->read(problem_.fidelity, loss);
  }
  EXPECT_EQ(stop_counting(), 0u);
}

TEST_F(Allocation, DoesNotHappenInTheIterationsOfAFit) {
  VarianceOptions variance;
  variance.window = 4;
  const auto stopper = make_windowed_variance(variance);
  const Tensor reference(problem_.graph.shape(problem_.restored), 0.5f);
  FitOptions options;
  options.iterations = 12;
  options.threads = 2;
  std::size_t counted = 1;
  // The first two take the stopper's window and the roll-back's snapshot; the next snapshot is 50
  // iterations later.
  fit(problem_, *engine_, options, *stopper, &reference, [&](const FitProgress& progress) {
    if (progress.row.iteration == 1) start_counting();
    if (progress.row.iteration == options.iterations - 1) counted = stop_counting();
  });
  EXPECT_EQ(counted, 0u);
}

}  // namespace allocation_test
}  // namespace unmar::test
