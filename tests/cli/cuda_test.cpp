// The engine `cuda` behind the command line, on the driver of tests/engine/fake_cuda, which the
// environment of these tests lets in.

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace cuda_test {

using Json = nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

using Environment = std::vector<std::pair<std::string, std::string>>;

class Cuda : public CliTest {
 protected:
  Cuda() { put("in.png", test_picture(24, 32)); }

  static Words denoise(const std::string& name, const std::string& engine, const Words& more = {}) {
    return Words{"denoise", "in.png", "-o",          name + ".png",        "--method",
                 "dip",     "--run",  name + ".run", "--checkpoint-every", "0",
                 "--stop",  "none"} +
           kTiny + Words{"--engine", engine} + more;
  }
  /// On a card that differs from a healthy one of its kind.
  Outcome run_with(const Environment& environment, const Words& arguments) const {
    return Process(folder(), arguments,
                   [&] {
                     for (const auto& [name, value] : environment)
                       ::setenv(name.c_str(), value.c_str(), 1);
                   })
        .wait();
  }
  Json engine_of(const std::string& name) const {
    return Json::parse(contents(in(name + ".run") / "manifest.json"))["engine"]["name"];
  }
  double first_loss(const std::string& name) const {
    const std::string history = contents(in(name + ".run") / "history.csv");
    const std::string row = history.substr(history.find('\n') + 1);
    return std::stod(row.substr(row.find(',') + 1));
  }
  /// The largest difference of two results, which are 8 bit.
  double apart(const std::string& a, const std::string& b) const {
    const Image one = get(a + ".png"), two = get(b + ".png");
    double most = 0;
    for (int c = 0; c < one.channels(); ++c)
      for (int y = 0; y < one.height(); ++y)
        for (int x = 0; x < one.width(); ++x)
          most = std::max(most, std::abs(double{one.at(c, y, x)} - double{two.at(c, y, x)}));
    return most;
  }
};

TEST_F(Cuda, IsListedWithItsCardsMemoryAndDriver) {
  const Outcome info = run_with({{"UNMAR_FAKE_CUDA_CARDS", "2"}}, {"info"});
  EXPECT_EQ(info.code, 0);
  EXPECT_THAT(info.out,
              AllOf(HasSubstr("cuda:0: Fake card, compute capability 8.0, 4.0 GiB, driver "
                              "of CUDA 12.2"),
                    HasSubstr("cuda:1: Fake card")));
}

// Adam makes much of little within a few iterations, so that roundings show: the first loss tells.
TEST_F(Cuda, FitsLikeTheCpuInEachPrecision) {
  ASSERT_EQ(run(denoise("cpu", "cpu")).code, 0);
  for (const auto& [precision, most] : {std::pair{"fp32", 1e-5}, {"tf32", 1e-3}, {"bf16", 1e-2}}) {
    const Outcome outcome = run(denoise(precision, "cuda", {"--precision", precision}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("engine cuda, Fake card"));
    EXPECT_EQ(engine_of(precision), "cuda");
    EXPECT_NEAR(first_loss(precision) / first_loss("cpu"), 1, most) << precision;
  }
  EXPECT_LE(apart("fp32", "cpu"), 0.005);
}

TEST_F(Cuda, TakesTheCardThatIsNamed) {
  const Environment two{{"UNMAR_FAKE_CUDA_CARDS", "2"}};
  EXPECT_EQ(run_with(two, denoise("second", "cuda:1")).code, 0);
  ASSERT_EQ(run(denoise("first", "cuda")).code, 0);
  EXPECT_EQ(contents(in("second.png")), contents(in("first.png")));
  expect_refusal(denoise("third", "cuda:1"), kUsage, {"device must be one of cuda:0"});
}

TEST_F(Cuda, IsNotTakenByItselfForWhatTheCpuHasDoneBefore) {
  const Outcome outcome = run(denoise("auto", "auto"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err,
              HasSubstr("engine cpu (cuda would take longer to start than this fit is worth)"));
  EXPECT_EQ(engine_of("auto"), "cpu");
}

// The card is lost: what was saved goes on there to the same bytes, and on the CPU nearly so.
TEST_F(Cuda, ALostCardCostsNothingThatWasSaved) {
  ASSERT_EQ(run(denoise("whole", "cuda", {"--precision", "fp32"})).code, 0);
  const Environment lost{{"UNMAR_FAKE_CUDA_LOST_AFTER", "600"}};
  for (const char* name : {"same", "cpu"}) {
    const Outcome outcome = run_with(lost, denoise(name, "cuda", {"--precision", "fp32"}));
    EXPECT_EQ(outcome.code, kFailure);
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("denoise 1/6"), HasSubstr("error: engine 'cuda': cuda:0 failed"),
                      HasSubstr("what was saved can be resumed")));
    EXPECT_FALSE(std::filesystem::exists(in(std::string(name) + ".png")));
  }
  const Outcome same = run({"resume", "same.run"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(contents(in("same.png")), contents(in("whole.png")));
  const Outcome cpu = run({"resume", "cpu.run", "--engine", "cpu"});
  EXPECT_EQ(cpu.code, 0) << cpu.err;
  EXPECT_THAT(cpu.err, HasSubstr("the run was begun with Fake card"));
  EXPECT_LE(apart("cpu", "whole"), 0.005);
}

// Trained, sampled and refined with: no step of any of them is for the CPU alone.
TEST_F(Cuda, LearnsAndUsesPriorsLikeTheCpu) {
  std::filesystem::create_directory(in("pictures"));
  for (int i = 0; i < 4; ++i)
    put("pictures/" + std::to_string(i) + ".png", test_picture(9 + i, 12));
  const auto succeed = [&](const Words& arguments) {
    const Outcome outcome = run(arguments + Words{"--threads", "1", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << testing::PrintToString(arguments) << "\n" << outcome.err;
  };
  const auto last_loss = [&](const std::string& model) {
    const std::string losses = contents(in(model) / "loss.csv");
    return std::stod(losses.substr(losses.rfind(',') + 1));
  };
  const auto train = [](const std::string& model, const Words& on) {
    return Words{"ddpm", "train", "pictures", "-o", model, "--size", "8", "--batch", "2"} +
           Words{"--channels", "4,4", "--norm-num-groups", "2", "--layers-per-block", "1"} +
           Words{"--iterations", "4", "--lr", "0.05"} + on;
  };
  const Words cpu{"--engine", "cpu"}, card{"--engine", "cuda"};
  succeed(train("cpu", cpu));
  succeed(train("fp32", card + Words{"--precision", "fp32"}));
  succeed(train("bf16", card + Words{"--precision", "bf16"}));
  EXPECT_NEAR(last_loss("fp32") / last_loss("cpu"), 1, 1e-5);
  EXPECT_NEAR(last_loss("bf16") / last_loss("cpu"), 1, 1e-3);
  const Words sample{"ddpm", "sample", "cpu", "--steps", "3", "-o"};
  succeed(sample + Words{"sample_cpu.png"} + cpu);
  succeed(sample + Words{"sample_card.png"} + card);
  EXPECT_LE(apart("sample_card", "sample_cpu"), 0.02);
  succeed(Words{"refine", "in.png", "-o", "refined.png", "--task", "denoise", "--sigma", "25"} +
          Words{"--model", "cpu", "--steps", "3", "--iterations", "3"} + card);
  succeed(Words{"gan", "train", "pictures", "-o", "gan", "--size", "8", "--channels", "4"} +
          Words{"--latent", "4", "--batch", "2", "--iterations", "2"} + card);
}

TEST_F(Cuda, WhatIsMissingIsSaidInALine) {
  const auto refusal = [&](const Environment& environment) {
    const auto before = files();
    const Outcome outcome = run_with(
        environment, {"denoise", "in.png", "-o", "out.png", "--method", "dip", "--engine", "cuda"});
    EXPECT_NE(outcome.code, 0);
    EXPECT_EQ(files(), before);
    return outcome.err;
  };
  EXPECT_THAT(refusal({{"UNMAR_FAKE_CUDA_CARDS", "0"}}),
              HasSubstr("error: engine 'cuda': the NVIDIA driver finds no card; use one of cpu"));
  EXPECT_THAT(refusal({{"UNMAR_FAKE_CUDA_CAPABILITY", "75"}}),
              HasSubstr("compute capability 7.5, 8.0 is needed"));
  EXPECT_THAT(refusal({{"UNMAR_FAKE_CUDA_MEMORY", "4000000"}}), HasSubstr("error: "));
}

}  // namespace cuda_test
}  // namespace unmar::cli_test
