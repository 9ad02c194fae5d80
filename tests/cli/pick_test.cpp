#include <signal.h>

#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace pick_test {

using testing::HasSubstr;

class Picking : public CliTest {
 protected:
  Picking() {
    Image picture = test_picture(20, 28);
    picture.source.format = SampleFormat::u16;
    picture.source.range = {0, 65535};
    picture.source.alpha.assign(picture.plane(0).size(), 0.5f);
    put("in.png", picture);
    Image mask(1, 20, 28, 1.f);
    for (int x = 4; x < 9; ++x) mask.at(0, 7, x) = 0.f;
    put("mask.png", mask);
    put("clean.png", test_picture(20, 28));
  }
  Words inpaint(const std::string& output, const Words& more = {}) const {
    return Words{"inpaint", "in.png", "--mask", "mask.png", "-o", output, "--quiet"} + kTiny +
           Words{"--iterations", "20", "--average-decay", "0.7"} + more;
  }
  /// Picks and returns what was said.
  std::string pick(const Words& more) const {
    const Outcome outcome = run(Words{"pick", "a.run"} + more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out + outcome.err;
  }
};

TEST_F(Picking, TheChosenMomentGivesTheBytesOfTheResult) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--keep-every", "6"})).code, 0);
  pick({"--iteration", "19", "-o", "again.png"});
  EXPECT_EQ(contents(in("again.png")), contents(in("out.png")));
  EXPECT_TRUE(read_image_info(in("again.png")).has_alpha);
}

TEST_F(Picking, AnEarlierMomentIsTheResultOfAShorterRun) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--keep-every", "6"})).code, 0);
  ASSERT_EQ(run(inpaint("short.png", {"--iterations", "13"})).code, 0);
  EXPECT_THAT(pick({"--iteration", "12", "-o", "early.png"}), testing::Not(HasSubstr("not kept")));
  EXPECT_EQ(contents(in("early.png")), contents(in("short.png")));
}

TEST_F(Picking, TakesTheNearestThatWasKeptAndSaysSo) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--keep-every", "6"})).code, 0);
  EXPECT_THAT(pick({"--iteration", "14", "-o", "a.png"}),
              HasSubstr("iteration 14 was not kept; the nearest that was is 12"));
  EXPECT_THAT(pick({"--iteration", "99999", "-o", "a.tif"}),
              HasSubstr("as it was at iteration 19"));
  EXPECT_EQ(read_image_info(in("a.tif")).format, SampleFormat::u16);
}

TEST_F(Picking, OfAFitInTilesItSaysWhatAnIterationShows) {
  put("large.png", test_picture(200, 200, 1));
  const Words denoise = {"denoise", "large.png", "-o", "out.png", "--quiet", "--iterations", "2"};
  ASSERT_EQ(run(denoise + Words{"--run", "a.run"} + kTiny).code, 0);
  EXPECT_THAT(pick({"--iteration", "5", "-o", "a.png"}), HasSubstr("tile by tile"));
  EXPECT_THAT(pick({"--list"}), HasSubstr("--tile none"));
}

TEST_F(Picking, WithoutAveragingTheIterateIsKept) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--keep-every", "6", "--no-average"})).code,
            0);
  ASSERT_EQ(run(inpaint("short.png", {"--iterations", "13", "--no-average"})).code, 0);
  pick({"--iteration", "12", "-o", "early.png"});
  EXPECT_EQ(contents(in("early.png")), contents(in("short.png")));
}

TEST_F(Picking, ListsTheMomentsWithTheirPsnrAndTheChosenOne) {
  ASSERT_EQ(
      run(inpaint("out.png", {"--run", "a.run", "--keep-every", "9", "--reference", "clean.png"}))
          .code,
      0);
  const std::string list = pick({"--list"});
  EXPECT_THAT(list,
              testing::ContainsRegex("^iteration  loss +PSNR\n        0  0\\.[0-9]+ +[0-9.]+ "
                                     "dB\n        9 .*\n       18 .*\n       19 .* chosen\n$"));
}

TEST_F(Picking, SomeFortyMomentsAreKeptWhateverTheLength) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--iterations", "500"})).code, 0);
  int pictures = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(in("a.run/pictures")))
    ++pictures;
  EXPECT_GE(pictures, 30);
  EXPECT_LE(pictures, 41);
}

TEST_F(Picking, MisuseIsAnError) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run"})).code, 0);
  const Words pick = {"pick", "a.run"};
  expect_refusal(pick, kUsage, {"--list", "--iteration"});
  expect_refusal(pick + Words{"--list", "--iteration", "3"}, kUsage, {"either"});
  expect_refusal(pick + Words{"--list", "-o", "b.png"}, kUsage, {"leave -o out"});
  expect_refusal(pick + Words{"--iteration", "3"}, kUsage, {"-o is missing"});
  expect_refusal(pick + Words{"--iteration", "-3", "-o", "b.png"}, kUsage, {"got -3"});
  expect_refusal(pick + Words{"--iteration", "3", "-o", "b.xyz"}, kUsage, {".xyz"});
  expect_refusal({"pick", ".", "--list"}, kFailure, {"holds no run"});
  put("mask.png", Image(1, 20, 28, 1.f));
  expect_refusal(pick + Words{"--iteration", "3", "-o", "b.png"}, kFailure,
                 {"the mask '", "mask.png' is not the one"});
  std::filesystem::remove_all(in("a.run/pictures"));
  expect_refusal(pick + Words{"--list"}, kFailure, {"no pictures"});
}

TEST_F(Picking, ADamagedPictureIsAnError) {
  ASSERT_EQ(run(inpaint("out.png", {"--run", "a.run", "--keep-every", "6"})).code, 0);
  const auto file = in("a.run/pictures/iteration_000012.tif");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  expect_refusal({"pick", "a.run", "--iteration", "12", "-o", "b.png"}, kFailure,
                 {"iteration_000012.tif"});
  put("small.tif", Image(3, 4, 4, 0.5f));
  std::filesystem::rename(in("small.tif"), file);
  expect_refusal({"pick", "a.run", "--iteration", "12", "-o", "b.png"}, kFailure, {"[1,3,4,4]"});
}

/// A run and its pictures, in folders as people have them, that are moved after it was stopped.
class MovedRun : public CliTest {
 protected:
  MovedRun() {
    for (const char* path : {"old/pictures", "old/results"})
      std::filesystem::create_directories(in(path));
    put("old/pictures/in.png", test_picture(20, 28));
    Image mask(1, 20, 28, 1.f);
    mask.at(0, 7, 4) = 0.f;
    put("old/pictures/mask.png", mask);
  }
  /// Begins it, and stops it after its first iterations.
  void begin() const {
    Process process(
        folder(), Words{"inpaint", "old/pictures/in.png", "--mask", "old/pictures/mask.png", "-o",
                        "old/results/out.png", "--run", "old/runs/a.run", "--checkpoint-every", "0",
                        "--keep-every", "1"} +
                      kTiny + Words{"--iterations", "120"});
    ASSERT_TRUE(process.wait_for("inpaint 1/120"));
    process.send(SIGTERM);
    ASSERT_EQ(process.wait().code, 0);
    ASSERT_TRUE(std::filesystem::remove(in("old/results/out.png")));
  }
};

TEST_F(MovedRun, IsResumedAndPickedFromWithThePicturesThatMovedWithIt) {
  begin();
  std::filesystem::rename(in("old"), in("new"));
  const Outcome picked = run({"pick", "new/runs/a.run", "--iteration", "0", "-o", "picked.png"});
  EXPECT_EQ(picked.code, 0) << picked.err;
  EXPECT_THAT(picked.err, HasSubstr("new/pictures/in.png' is the same file"));
  const Outcome resumed = run({"resume", "new/runs/a.run"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("new/pictures/mask.png' is the same file"));
  EXPECT_EQ(get("new/results/out.png").width(), 28);  // where it was to be, from the run
}

TEST_F(MovedRun, FindsPicturesBesideItsFolderAndWritesThere) {
  begin();
  std::filesystem::create_directories(in("usb"));
  for (const char* file : {"runs/a.run", "pictures/in.png", "pictures/mask.png"})
    std::filesystem::rename(in("old") / file, in("usb") / std::filesystem::path(file).filename());
  std::filesystem::remove_all(in("old"));
  const Outcome resumed = run({"resume", "usb/a.run"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(get("usb/out.png").width(), 28);
}

TEST_F(MovedRun, TakesNoOtherPictureOfTheSameName) {
  begin();
  std::filesystem::rename(in("old"), in("new"));
  put("new/pictures/in.png", test_picture(20, 28, 1));
  const Outcome resumed = run({"resume", "new/runs/a.run"});
  EXPECT_EQ(resumed.code, 1);
  EXPECT_THAT(resumed.err, HasSubstr("is not there any more"));
}

}  // namespace pick_test
}  // namespace unmar::cli_test
