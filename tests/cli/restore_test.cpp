#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace restore_test {

using Json = nlohmann::json;

class RestoreCommand : public CliTest {
 protected:
  Outcome denoise(const std::string& from, const std::string& to, const Words& more = {}) const {
    return run(Words{"denoise", from, "-o", to} + kTiny + more);
  }
  Json json_of(const Outcome& outcome) const {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
    return Json::parse(outcome.out, nullptr, false);
  }
};

TEST_F(RestoreCommand, JsonTellsTheResultInOneLineOnStdout) {
  put("noisy.png", test_picture(24, 32));
  put("clean.png", test_picture(24, 32));
  const Json result =
      json_of(denoise("noisy.png", "out.png", {"--json", "--reference", "clean.png"}));
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(result["iterations"], 6);
  EXPECT_EQ(result["stopped_by"], "iterations");
  for (const char* key : {"best_iteration", "seconds", "loss", "psnr", "ssim", "peak_memory_mib"})
    EXPECT_TRUE(result[key].is_number()) << key;
  EXPECT_TRUE(result["psnr_input"].is_null());  // equal pictures: infinite
  EXPECT_EQ(result["ssim_input"], 1.0);
}

TEST_F(RestoreCommand, ThePsnrItTellsIsThatOfTheWrittenPicture) {
  put("clean.png", test_picture(24, 32));
  ASSERT_EQ(run({"degrade", "clean.png", "-o", "noisy.png", "--noise", "25"}).code, 0);
  const Json told =
      json_of(denoise("noisy.png", "out.png", {"--json", "--reference", "clean.png"}));
  const Json measured = json_of(run({"compare", "out.png", "clean.png", "--json"}));
  // Rounding to 8 bit moves it: at 33 dB by 0.01 dB in the mean, by more in so small a picture.
  EXPECT_NEAR(told["psnr"].get<double>(), measured["psnr"].get<double>(), 0.05);
  EXPECT_NEAR(told["ssim"].get<double>(), measured["ssim"].get<double>(), 0.001);
}

TEST_F(RestoreCommand, QuietSaysNothing) {
  put("noisy.png", test_picture(16, 16));
  const Outcome outcome = denoise("noisy.png", "out.png", {"--quiet"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(RestoreCommand, WithoutJsonAllTextIsOnStderr) {
  put("noisy.png", test_picture(16, 16));
  const Outcome outcome = denoise("noisy.png", "out.png");
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, testing::HasSubstr("denoise 6/6"));
  EXPECT_THAT(outcome.err, testing::HasSubstr("wrote out.png"));
}

TEST_F(RestoreCommand, SameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  put("noisy.png", test_picture(16, 16));
  denoise("noisy.png", "a.png", {"--seed", "7"});
  denoise("noisy.png", "b.png", {"--seed", "7"});
  denoise("noisy.png", "c.png", {"--seed", "8"});
  EXPECT_FALSE(contents(in("a.png")).empty());
  EXPECT_EQ(contents(in("a.png")), contents(in("b.png")));
  EXPECT_NE(contents(in("a.png")), contents(in("c.png")));
}

TEST_F(RestoreCommand, OfAnOptionGivenTwiceTheLaterCounts) {
  put("noisy.png", test_picture(16, 16));
  const Json result = json_of(denoise("noisy.png", "out.png", {"--iterations", "4", "--json"}));
  EXPECT_EQ(result["iterations"], 4);
}

TEST_F(RestoreCommand, SixteenBitInGivesSixteenBitOut) {
  Image picture = test_picture(16, 16, 1);
  picture.source.format = SampleFormat::u16;
  picture.source.range = {0, 65535};
  put("deep.png", picture);
  ASSERT_EQ(denoise("deep.png", "out.png").code, 0);
  EXPECT_EQ(read_image_info(in("out.png")).format, SampleFormat::u16);
  EXPECT_EQ(read_image_info(in("out.png")).channels, 1);
}

TEST_F(RestoreCommand, SmallAndOddPicturesWorkInEveryTask) {
  for (const auto& [height, width] : {std::pair{1, 1}, std::pair{17, 31}}) {
    put("in.png", test_picture(height, width));
    Image mask(1, height, width, 1.f);
    if (width > 1) mask.at(0, 3, 4) = 0.f;
    put("mask.png", mask);
    EXPECT_EQ(denoise("in.png", "d.png").code, 0);
    EXPECT_EQ(get("d.png").width(), width);
    EXPECT_EQ(run(Words{"upscale", "in.png", "--factor", "3", "-o", "u.png"} + kTiny).code, 0);
    EXPECT_EQ(get("u.png").height(), 3 * height);
    if (width == 1) continue;  // one pixel cannot be known and missing
    EXPECT_EQ(run(Words{"inpaint", "in.png", "--mask", "mask.png", "-o", "i.png"} + kTiny).code, 0);
    EXPECT_EQ(get("i.png").width(), width);
  }
}

TEST_F(RestoreCommand, TheInputMayBeOverwritten) {
  put("clean.png", test_picture(16, 16));
  ASSERT_EQ(run({"degrade", "clean.png", "-o", "picture.png", "--noise", "25"}).code, 0);
  const std::string before = contents(in("picture.png"));
  EXPECT_EQ(denoise("picture.png", "picture.png").code, 0);
  EXPECT_NE(contents(in("picture.png")), before);
}

TEST_F(RestoreCommand, TheManifestRepeatsTheRun) {
  put("noisy.png", test_picture(16, 16));
  ASSERT_EQ(
      denoise("noisy.png", "a.png", {"--seed", "5", "--no-average", "--manifest", "m.json"}).code,
      0);
  const Json manifest = Json::parse(contents(in("m.json")), nullptr, false);
  ASSERT_TRUE(manifest.is_object());
  EXPECT_EQ(manifest["input"]["file"], "noisy.png");
  EXPECT_EQ(manifest["engine"]["name"], "ref");
  EXPECT_EQ(manifest["result"]["iterations"], 6);
  EXPECT_TRUE(manifest["versions"]["unmar"].is_string());

  const Words again =
      Words{"denoise", "noisy.png", "-o", "b.png", "--quiet"} + options_of(manifest);
  EXPECT_EQ(run(again).err, "");
  EXPECT_EQ(contents(in("a.png")), contents(in("b.png")));
}

TEST_F(RestoreCommand, TheHistoryHasOneRowPerIteration) {
  put("noisy.png", test_picture(16, 16));
  put("clean.png", test_picture(16, 16));
  denoise("noisy.png", "out.png", {"--history", "h.csv", "--reference", "clean.png"});
  const std::string text = contents(in("h.csv"));
  EXPECT_THAT(text,
              testing::StartsWith("iteration,loss,psnr,psnr_average,signal,rolled_back,part\n0,"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
}

TEST_F(RestoreCommand, WatchersWriteToTheHistoryAndToTheFacts) {
  put("noisy.png", test_picture(24, 32));
  const Json result =
      json_of(denoise("noisy.png", "out.png",
                      {"--history", "h.csv", "--json", "--sigma", "10", "--input", "observed",
                       "--watch", "held-out,self-reference,discrepancy,sure"}));
  EXPECT_THAT(contents(in("h.csv")),
              testing::StartsWith("iteration,loss,psnr,psnr_average,signal,rolled_back,part,"
                                  "held-out,held-out_best,held-out_stopped,self-reference,"
                                  "self-reference_best,self-reference_stopped,discrepancy,"
                                  "discrepancy_best,discrepancy_stopped,sure,sure_best,"
                                  "sure_stopped\n0,"));
  ASSERT_EQ(result["watched"].size(), 4u);
  EXPECT_TRUE(result["watched"]["sure"]["seconds"].is_number());
  EXPECT_EQ(result["watched"]["held-out"]["best_iteration"], 5);  // still falling
  EXPECT_TRUE(result["watched"]["held-out"]["stopped_at"].is_null());
}

TEST_F(RestoreCommand, AHistoryIntoADeviceLeavesTheDeviceAlone) {
  put("noisy.png", test_picture(16, 16));
  EXPECT_EQ(denoise("noisy.png", "out.png", {"--history", "/dev/null"}).code, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(RestoreCommand, SnapshotsAreWrittenAtTheirIterations) {
  put("noisy.png", test_picture(16, 16));
  denoise("noisy.png", "out.png", {"--snapshots", "deep/snaps", "--every", "3", "--method", "dip"});
  EXPECT_EQ(get("deep/snaps/iteration_000003.png").width(), 16);
  EXPECT_EQ(contents(in("deep/snaps/iteration_000006.png")), contents(in("out.png")));
}

TEST_F(RestoreCommand, InpaintingLeavesTheKnownPixelsOfTheFileAlone) {
  put("holed.png", test_picture(16, 16));
  Image mask(1, 16, 16, 0.f);
  for (int y = 5; y < 8; ++y)
    for (int x = 5; x < 8; ++x) mask.at(0, y, x) = 1.f;
  put("mask.png", mask);
  ASSERT_EQ(
      run(Words{"inpaint", "holed.png", "--mask", "mask.png", "--invert-mask", "-o", "out.png"} +
          kTiny)
          .code,
      0);
  const Image before = get("holed.png"), after = get("out.png");
  EXPECT_EQ(after.at(0, 0, 0), before.at(0, 0, 0));
  EXPECT_EQ(after.at(2, 15, 9), before.at(2, 15, 9));
  EXPECT_NE(after.at(0, 6, 6), before.at(0, 6, 6));
}

}  // namespace restore_test
}  // namespace unmar::cli_test
