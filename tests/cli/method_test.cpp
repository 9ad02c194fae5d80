#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/support.h"
#include "unmar/observe/observe.h"

namespace unmar::cli_test {
namespace method_test {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class MethodCommand : public CliTest {
 protected:
  MethodCommand() {
    Image clean(3, 64, 64);  // calm: waves as steep as noise would be taken for it
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 64; ++y)
        for (int x = 0; x < 64; ++x)
          clean.at(c, y, x) = 0.4f + 0.2f * std::sin(0.1f * static_cast<float>(x + y + 9 * c));
    put("clean.png", clean);
    put("noisy.png", simulate(clean, {.sigma = 25.f / 255, .seed = 1}).image);
  }
  Outcome denoise(const Words& more) const {
    return run(Words{"denoise", "noisy.png", "-o", "out.png"} + kTiny + more);
  }
};

TEST_F(MethodCommand, TheFilterAloneWritesAPictureAndItsFacts) {
  const Outcome outcome = denoise(
      {"--method", "patches", "--json", "--reference", "clean.png", "--manifest", "m.json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json result = Json::parse(outcome.out);
  EXPECT_FALSE(result.contains("iterations"));
  EXPECT_EQ(result["candidates"].size(), 1u);
  EXPECT_GT(result["psnr"].get<double>(), result["psnr_input"].get<double>() + 8);
  const Json manifest = Json::parse(contents(in("m.json")));
  EXPECT_EQ(manifest["noise"]["kind"], "white");
  EXPECT_NEAR(manifest["noise"]["sigma"].get<double>(), 25, 3);
  EXPECT_EQ(manifest["options"]["method"], "patches");
}

TEST_F(MethodCommand, TheFilterAloneHasNothingToKeepOrShow) {
  for (const Words& asked : {Words{"--run", "r"}, Words{"--history", "h.csv"},
                             Words{"--report", "r.html"}, Words{"--snapshots", "s"}})
    expect_refusal(Words{"denoise", "noisy.png", "-o", "out.png", "--method", "patches"} + asked, 2,
                   {asked[0], "--method patches has none"});
}

TEST_F(MethodCommand, AutoTellsTheNoiseTheFirstResultAndTheBlend) {
  const Outcome outcome = denoise({"--reference", "clean.png"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("\nwhite noise, sigma 2"));
  EXPECT_THAT(outcome.err, HasSubstr("wrote out.png; the fit goes on\n"));
  EXPECT_THAT(outcome.err, HasSubstr("the result is "));
  EXPECT_THAT(outcome.err, HasSubstr(" % patches"));
}

TEST_F(MethodCommand, TheFitAloneSaysNothingOfIt) {
  const Outcome outcome = denoise({"--method", "dip"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, Not(HasSubstr("patches")));
  EXPECT_THAT(outcome.err, Not(HasSubstr("white noise")));
}

TEST_F(MethodCommand, CtrlCLeavesWhatTheFilterMade) {
  ASSERT_EQ(denoise({"--method", "patches"}).code, 0);
  const std::string filtered = contents(in("out.png"));
  Process process(folder(), Words{"denoise", "noisy.png", "-o", "out2.png"} + kTiny +
                                Words{"--iterations", "100000"});
  ASSERT_TRUE(process.wait_for("the fit goes on"));
  EXPECT_EQ(contents(in("out2.png")), filtered) << "there is something to look at already";
  ASSERT_TRUE(process.wait_for("denoise 1/"));
  process.send(SIGINT);
  EXPECT_EQ(process.wait().code, 0);
  EXPECT_EQ(contents(in("out2.png")), filtered);
}

TEST_F(MethodCommand, AnInputThatIsToBeReplacedOutlivesAKilledRun) {
  const std::string original = contents(in("noisy.png"));
  Process process(folder(), Words{"denoise", "noisy.png", "-o", "noisy.png"} + kTiny +
                                Words{"--iterations", "100000"});
  ASSERT_TRUE(process.wait_for("the fit goes on"));
  EXPECT_EQ(contents(in("noisy.png")), original) << "only the end of the run replaces it";
  process.send(SIGKILL);
  process.wait();
  EXPECT_EQ(contents(in("noisy.png")), original);
}

TEST_F(MethodCommand, TheReportShowsWhatWasBlended) {
  ASSERT_EQ(denoise({"--report", "r.html", "--reference", "clean.png"}).code, 0);
  const std::string page = contents(in("r.html"));
  for (const char* part :
       {"\"name\":\"dip+patches\"", "\"hidden_rmse\":", "\"difference\":\"data:"})
    EXPECT_NE(page.find(part), page.npos) << part;
  ASSERT_EQ(denoise({"--report", "r2.html", "--method", "dip"}).code, 0);
  EXPECT_NE(contents(in("r2.html")).find("\"candidates\":[]"), std::string::npos);
}

TEST_F(MethodCommand, PickFinishesAMomentAsTheRunDid) {
  ASSERT_EQ(denoise({"--run", "r"}).code, 0);
  const std::string chosen = contents(in("out.png"));
  ASSERT_EQ(run({"pick", "r", "--iteration", "5", "-o", "picked.png"}).code, 0);
  EXPECT_EQ(contents(in("picked.png")), chosen);
  ASSERT_EQ(run({"pick", "r", "--iteration", "0", "-o", "early.png"}).code, 0);
  EXPECT_EQ(get("early.png").width(), 64);
}

TEST_F(MethodCommand, InfoSaysWhatNoiseThereIs) {
  EXPECT_THAT(run({"info", "noisy.png"}).out, HasSubstr("\nwhite noise, sigma 2"));
}

TEST_F(MethodCommand, WhatIsKnownOfTheNoiseIsTaken) {
  const Outcome outcome = denoise({"--method", "patches", "--noise", "poisson"});
  EXPECT_THAT(outcome.err, HasSubstr("poisson noise"));
  EXPECT_THAT(denoise({"--method", "patches", "--sigma", "40"}).err,
              HasSubstr("white noise, sigma 40.0"));
}

}  // namespace method_test
}  // namespace unmar::cli_test
