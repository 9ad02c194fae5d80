#include <gmock/gmock.h>

#include <cstdio>

#include "error_text.h"
#include "fit/fake_engine.h"
#include "unmar/fit/fit.h"

namespace unmar {
namespace memory_test {

using test::error_text;

ProblemOptions small_network() {
  SkipOptions skip;
  skip.down = skip.up = {8, 8};
  skip.skip = {4, 4};
  return {.network = skip, .input_channels = 4};
}

std::size_t needed(const Shape& x, const ProblemOptions& options = {}) {
  return memory_needed(x, *make_identity(), options, {}, *make_engine());
}

TEST(Memory, NeededIsWhatTheProgramHoldsAndThePicturesBeside) {
  const Shape x{1, 3, 40, 36};
  const std::size_t picture = x.count() * sizeof(float);
  for (const Optimise optimise : {Optimise::weights, Optimise::weights_and_input})
    for (const std::string& name : engine_names()) {
      const auto engine = make_engine(name);
      ProblemOptions options = small_network();
      options.optimise = optimise;
      const auto A = make_identity();
      const Problem problem = make_problem(Tensor(x), x, *A, options);
      const FitOptions fit{.rollback_db = 0};
      const std::size_t program = engine->compile(problem.graph, {})->memory_bytes();
      const std::size_t all = memory_needed(x, *A, options, fit, *engine);
      const std::size_t z = make_input(x, options).count() * sizeof(float);
      // ref plans for gradients that not all nodes need.
      const double slack = name == "ref" ? 1.5 : 1.0;
      EXPECT_GE(all, program + 4 * picture) << name;
      EXPECT_LE(static_cast<double>(all),
                slack * static_cast<double>(program) + static_cast<double>(4 * picture + 4 * z))
          << name;
    }
}

TEST(Memory, GrowsWithThePixelsOfPicturesThatNoMachineHolds) {
  const std::size_t small = needed({1, 3, 3000, 3000}), large = needed({1, 3, 30000, 30000});
  EXPECT_GT(small, std::size_t{10} << 30);
  EXPECT_NEAR(static_cast<double>(large) / static_cast<double>(small), 100, 2);
}

TEST(Memory, AFitThatNeedsMoreThanItMayTakeIsRefusedInOneLine) {
  const auto engine = make_engine();
  const auto refusal = [&](const Shape& x, std::size_t limit) {
    return error_text(
        [&] { require_memory("denoise", limit, x, *make_identity(), {}, {}, *engine); },
        ErrorCode::too_large);
  };
  const std::string text = refusal({1, 3, 6000, 8000}, std::size_t{22} << 30);
  EXPECT_THAT(text, testing::StartsWith("denoise: a fit of 8000x6000 with this network needs "));
  EXPECT_THAT(text, testing::HasSubstr("GiB, but 22.0 GiB are allowed; try fewer `channels`"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_THAT(refusal({1, 3, 32000, 32000}, 0), testing::HasSubstr("are available; try"));
}

TEST(Memory, ThePictureThatARefusalNamesIsAccepted) {
  const auto engine = make_engine();
  const std::size_t limit = std::size_t{22} << 30;
  const std::string text = error_text(
      [&] {
        require_memory("fit", limit, {1, 3, 6000, 8000}, *make_identity(), {}, {}, *engine);
      },
      ErrorCode::too_large);
  Shape x{1, 3, 0, 0};
  ASSERT_EQ(std::sscanf(text.c_str() + text.find("picture of "), "picture of %dx%d", &x.w, &x.h), 2)
      << text;
  EXPECT_GT(x.w, 3000);
  EXPECT_NO_THROW(require_memory("fit", limit, x, *make_identity(), {}, {}, *engine));
}

TEST(Memory, TakesNoMoreThanTheLimitToRun) {
  const Shape x{1, 3, 40, 36};
  const auto A = make_identity();
  const std::size_t bytes = needed(x, small_network());
  EXPECT_NO_THROW(require_memory("fit", bytes, x, *A, small_network(), {}, *make_engine()));
  EXPECT_THROW(require_memory("fit", bytes - 1, x, *A, small_network(), {}, *make_engine()), Error);
}

TEST(Memory, TheLimitIsWhatTheDeviceHasFree) {
  FakeEngine engine;
  const Shape x{1, 3, 40, 36};
  const auto require = [&](const FitOptions& options) {
    require_memory("fit", 0, x, *make_identity(), small_network(), options, engine);
  };
  engine.memory_free = 1;
  EXPECT_THROW(require({}), Error);
  EXPECT_NO_THROW(require({.device = "another"})) << "fit() refuses it, by name";
  engine.memory_free = std::size_t{1} << 40;
  EXPECT_NO_THROW(require({}));
  engine.memory_free = 0;  // not known
  EXPECT_NO_THROW(require({}));
}

TEST(Memory, MorePixelsThanCanBeCountedAreAnErrorNotAnOverflow) {
  Graph graph;
  EXPECT_THAT(error_text(
                  [&] {
                    graph.add(Input{{1, 3, 65536, 65536}}, {}, "z");
                  },
                  ErrorCode::too_large),
              testing::HasSubstr("'z': [1,3,65536,65536] is more than can be counted"));
  const NodeId ok = graph.add(Input{{1, 3, 32768, 65535}}, {}, "wide");
  EXPECT_THROW(graph.add(Linear::enlarge(graph.shape(ok), 2), {ok}), Error);
  EXPECT_THROW(graph.add(Input{{1, 1 << 30, 32768, 32768}}, {}, "deep"), Error);
}

}  // namespace memory_test
}  // namespace unmar
