#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace degrade_compare_test {

class DegradeCommand : public CliTest {
 protected:
  DegradeCommand() { put("clean.png", test_picture(40, 48)); }
  Outcome degrade(const std::string& out, const Words& more) const {
    return run(Words{"degrade", "clean.png", "-o", out} + more);
  }
};

TEST_F(DegradeCommand, NoiseHasTheStrengthAskedForAndFollowsTheSeed) {
  ASSERT_EQ(degrade("a.png", {"--noise", "10", "--seed", "1"}).code, 0);
  degrade("b.png", {"--noise", "10", "--seed", "1"});
  degrade("c.png", {"--noise", "10", "--seed", "2"});
  EXPECT_NEAR(psnr(get("a.png"), get("clean.png")), 20 * std::log10(255. / 10), 0.5);
  EXPECT_EQ(contents(in("a.png")), contents(in("b.png")));
  EXPECT_NE(contents(in("a.png")), contents(in("c.png")));
}

TEST_F(DegradeCommand, MissingPixelsAreBlackWhereTheMaskIs) {
  ASSERT_EQ(degrade("holed.png", {"--missing", "0.5", "--mask-out", "mask.png"}).code, 0);
  const Image holed = get("holed.png"), mask = get("mask.png"), clean = get("clean.png");
  ASSERT_EQ(mask.channels(), 1);
  int missing = 0;
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 48; ++x) {
      const bool known = mask.at(0, y, x) == 1.f;
      missing += known ? 0 : 1;
      EXPECT_EQ(holed.at(1, y, x), known ? clean.at(1, y, x) : 0.f);
    }
  EXPECT_NEAR(missing, 960, 100);
}

TEST_F(DegradeCommand, MissingPixelsWithoutAMaskFileAreWarnedOf) {
  const Outcome outcome = degrade("holed.png", {"--missing", "0.5"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, testing::HasSubstr("--mask-out"));
}

TEST_F(DegradeCommand, AGivenMaskBlackensWhatItCovers) {
  Image text(1, 40, 48, 1.f);
  text.at(0, 7, 9) = 0.f;
  put("text.png", text);
  ASSERT_EQ(degrade("over.png", {"--mask", "text.png", "--mask-out", "m.png"}).code, 0);
  EXPECT_EQ(get("over.png").at(0, 7, 9), 0.f);
  EXPECT_EQ(get("over.png").at(0, 7, 10), get("clean.png").at(0, 7, 10));
  EXPECT_EQ(contents(in("m.png")).empty(), false);
  ASSERT_EQ(degrade("under.png", {"--mask", "text.png", "--invert-mask"}).code, 0);
  EXPECT_EQ(get("under.png").at(0, 7, 10), 0.f);
}

TEST_F(DegradeCommand, AMaskMeansWhatItMeansToTheTasks) {
  // Dark ink on gray paper, and one level half way between.
  Image scanned(1, 40, 48, 230.f / 255);
  for (int x = 0; x < 30; ++x) scanned.at(0, 7, x) = 25.f / 255;
  for (int x = 0; x < 30; ++x) scanned.at(0, 9, x) = 0.5f;
  put("scan.png", scanned);
  ASSERT_EQ(degrade("over.png", {"--mask", "scan.png", "--mask-out", "m.png"}).code, 0);
  const Image over = get("over.png"), clean = get("clean.png"), mask = get("m.png");
  EXPECT_EQ(over.at(0, 7, 9), 0.f);
  EXPECT_EQ(mask.at(0, 7, 9), 0.f);
  EXPECT_EQ(over.at(0, 8, 9), clean.at(0, 8, 9));
  EXPECT_EQ(mask.at(0, 8, 9), 1.f);
  EXPECT_NEAR(over.at(0, 9, 9), mask.at(0, 9, 9) * clean.at(0, 9, 9), 0.005);
  EXPECT_NEAR(mask.at(0, 9, 9), 0.5, 0.06);
}

TEST_F(DegradeCommand, BlursByAShapeOrByAPictureOfTheKernel) {
  Image dot(1, 40, 48);
  dot.at(0, 20, 24) = 1.f;
  put("clean.png", dot);
  ASSERT_EQ(degrade("moved.png", {"--blur", "motion:5,0"}).code, 0);
  EXPECT_NEAR(get("moved.png").at(0, 20, 26), 0.2f, 0.01f);
  EXPECT_EQ(get("moved.png").at(0, 20, 27), 0.f);
  Image kernel(1, 3, 3);
  kernel.at(0, 0, 1) = 1.f;  // one pixel up
  put("kernel.png", kernel);
  ASSERT_EQ(degrade("up.png", {"--blur", "kernel.png"}).code, 0);
  EXPECT_EQ(get("up.png").at(0, 19, 24), 1.f);
}

TEST_F(DegradeCommand, ABlurThatIsNoneIsToldHowToBeWritten) {
  EXPECT_EQ(degrade("a.png", {"--blur", "gaus:2"}).err,
            "error: degrade: blur 'gaus:2': is none of gauss:SIGMA, motion:LENGTH,ANGLE and "
            "disk:RADIUS\n");
  EXPECT_THAT(degrade("a.png", {"--blur", "kernel.tif"}).err,
              testing::HasSubstr("disk:RADIUS; nor is there a file of that name\n"));
  EXPECT_THAT(degrade("a.png", {"--blur", "gauss:20"}).err,
              testing::HasSubstr("reaches 80x80 pixels around each, which a picture of 48x40"));
}

TEST_F(DegradeCommand, ShrinkingDividesTheSize) {
  ASSERT_EQ(degrade("small.png", {"--shrink", "4"}).code, 0);
  EXPECT_EQ(get("small.png").height(), 10);
  EXPECT_EQ(get("small.png").width(), 12);
}

TEST_F(DegradeCommand, DamagesCombine) {
  ASSERT_EQ(degrade("all.png",
                    {"--shrink", "2", "--noise", "20", "--missing", "0.3", "--mask-out", "m.png"})
                .code,
            0);
  EXPECT_EQ(get("all.png").width(), 24);
  EXPECT_EQ(get("m.png").width(), 24);
}

using CompareCommand = CliTest;

TEST_F(CompareCommand, EqualPicturesHaveNoFinitePsnr) {
  put("a.png", test_picture(20, 20));
  EXPECT_EQ(run({"compare", "a.png", "a.png"}).out, "PSNR inf dB  SSIM 1.0000\n");
  const auto result = nlohmann::json::parse(run({"compare", "a.png", "a.png", "--json"}).out);
  EXPECT_TRUE(result["psnr"].is_null());
  EXPECT_EQ(result["ssim"], 1.0);
}

TEST_F(CompareCommand, AnEvenDifferenceHasThePsnrOfItsSize) {
  put("a.png", Image(3, 20, 20, 100.f / 255));
  put("b.png", Image(3, 20, 20, 110.f / 255));
  const auto result = nlohmann::json::parse(run({"compare", "a.png", "b.png", "--json"}).out);
  EXPECT_NEAR(result["psnr"].get<double>(), 20 * std::log10(255. / 10), 1e-4);
}

TEST_F(CompareCommand, AFileWithoutItsEndIsSaid) {
  put("a.jpg", test_picture(64, 64));
  const std::string whole = contents(in("a.jpg"));
  std::ofstream(in("b.jpg"), std::ios::binary) << whole.substr(0, whole.size() * 2 / 3);
  for (const Words& words : {Words{"compare", "a.jpg", "b.jpg"}, {"compare", "b.jpg", "a.jpg"}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.err, testing::HasSubstr("warning: b.jpg: the file is damaged or ends"));
  }
  EXPECT_THAT(run({"info", "b.jpg"}).err, testing::HasSubstr("warning: b.jpg"));
  EXPECT_EQ(run({"compare", "a.jpg", "a.jpg"}).err, "");
}

TEST_F(CompareCommand, TheBorderIsLeftOut) {
  Image a = test_picture(20, 20), b = a;
  b.at(0, 0, 0) = 1.f;
  put("a.png", a);
  put("b.png", b);
  EXPECT_NE(run({"compare", "a.png", "b.png"}).out, "PSNR inf dB  SSIM 1.0000\n");
  EXPECT_EQ(run({"compare", "a.png", "b.png", "--border", "1"}).out, "PSNR inf dB  SSIM 1.0000\n");
}

using SheetCommand = CliTest;

TEST_F(SheetCommand, APictureMoreThanAColumnHoldsStartsANewRow) {
  put("a.png", test_picture(20, 20));
  put("b.png", test_picture(20, 20));
  const Words pictures = {"sheet", "a.png", "b.png=restored", "a.png", "--height", "32"};
  ASSERT_EQ(run(pictures + Words{"-o", "row.png"}).code, 0);
  ASSERT_EQ(run(pictures + Words{"-o", "rows.png", "--columns", "2"}).code, 0);
  EXPECT_GE(get("row.png").width(), 3 * 32);
  EXPECT_LT(get("rows.png").width(), get("row.png").width());
  EXPECT_GT(get("rows.png").height(), get("row.png").height());
}

}  // namespace degrade_compare_test
}  // namespace unmar::cli_test
