#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace files_test {

using testing::HasSubstr;
using testing::Not;

constexpr int kFailure = 1;
constexpr int kUsage = 2;

class FilesCommand : public CliTest {
 protected:
  FilesCommand() {
    put("a.png", test_picture(16, 20));
    put("b.tif", test_picture(20, 16, 1));
    put("c.jpg", test_picture(24, 24));
  }
  Outcome denoise(const Words& more) const { return run(Words{"denoise"} + more + kTiny); }
  std::string text_of(const std::string& name, const std::string& text) const {
    return contents(in(name)).find(text) == std::string::npos ? "" : text;
  }
};

TEST_F(FilesCommand, SeveralGoIntoAFolderUnderTheirNames) {
  const Outcome outcome = denoise({"a.png", "b.tif", "c.jpg", "-o", "out"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("file 2 of 3"));
  EXPECT_THAT(outcome.err, HasSubstr("3 of 3 pictures restored\n"));
  EXPECT_EQ(get("out/a.png").width(), 20);
  EXPECT_EQ(get("out/b.tif").channels(), 1);
  EXPECT_EQ(get("out/c.jpg").width(), 24);
  ASSERT_EQ(denoise({"a.png", "-o", "alone.png"}).code, 0);
  EXPECT_EQ(contents(in("alone.png")), contents(in("out/a.png")));
}

TEST_F(FilesCommand, SlurmIsAskedForWhatTheLargestPictureTakes) {
  put("large.png", test_picture(100, 300));
  const auto memory = [&](const Words& pictures) {
    std::filesystem::remove(in("jobs.json"));
    EXPECT_EQ(
        denoise(pictures + Words{"-o", "out/", "--method", "dip", "--plan", "jobs.json"}).code, 0);
    const std::string script = run({"slurm", "jobs.json"}).out;
    const std::size_t at = script.find("--mem=");
    return at == script.npos ? script : script.substr(at, script.find(' ', at) - at);
  };
  const std::string large = memory({"large.png"});
  EXPECT_NE(memory({"a.png"}), large);
  EXPECT_EQ(memory({"a.png", "large.png"}), large);
  EXPECT_EQ(memory({"large.png", "a.png"}), large);
}

TEST_F(FilesCommand, OneThatFailsDoesNotEndTheRest) {
  std::filesystem::copy_file(in("a.png"), in("broken.png"));
  std::filesystem::resize_file(in("broken.png"), 60);
  const Outcome outcome = denoise({"broken.png", "missing.png", "a.png", "-o", "out/"});
  EXPECT_EQ(outcome.code, kFailure);
  EXPECT_THAT(outcome.err, HasSubstr("error: broken.png: "));
  EXPECT_THAT(outcome.err, HasSubstr("error: missing.png: "));
  EXPECT_THAT(outcome.err, HasSubstr("1 of 3 pictures restored, 2 failed\n"));
  EXPECT_EQ(get("out/a.png").width(), 20);
  const Outcome quiet = denoise({"missing.png", "a.png", "-o", "out/", "--quiet"});
  EXPECT_EQ(quiet.code, kFailure);
  EXPECT_EQ(std::ranges::count(quiet.err, '\n'), 1) << quiet.err;
}

TEST_F(FilesCommand, OneGoesIntoAFolderThatIsThereOrEndsInASlash) {
  ASSERT_EQ(denoise({"a.png", "-o", "new/"}).code, 0);
  EXPECT_EQ(get("new/a.png").width(), 20);
  ASSERT_EQ(denoise({"b.tif", "-o", "new"}).code, 0);
  EXPECT_EQ(get("new/b.tif").width(), 16);
}

TEST_F(FilesCommand, MisuseIsAnErrorBeforeTheWork) {
  std::filesystem::create_directory(in("sub"));
  std::filesystem::copy_file(in("a.png"), in("sub/a.png"));
  const Words two = Words{"denoise", "a.png", "b.tif"} + kTiny;
  expect_refusal(two + Words{"-o", "c.jpg"}, kUsage, {"c.jpg' is a file", "folder"});
  expect_refusal(two + Words{"-o", "."}, kUsage, {"would replace 'a.png'"});
  expect_refusal(two + Words{"sub/a.png", "-o", "out"}, kUsage,
                 {"'a.png' and 'sub/a.png' would both become"});
  for (const char* option : {"--report", "--manifest", "--history", "--reference", "--run"})
    expect_refusal(two + Words{"-o", "out", option, "x"}, kUsage, {option});
}

TEST_F(FilesCommand, StripAndProvenance) {
  ASSERT_EQ(denoise({"a.png", "-o", "o.png"}).code, 0);
  ASSERT_EQ(denoise({"a.png", "-o", "s.png", "--strip"}).code, 0);
  EXPECT_NE(text_of("o.png", "Software"), "");
  EXPECT_NE(text_of("o.png", " denoise"), "");
  EXPECT_EQ(text_of("s.png", "Software"), "");
  ASSERT_EQ(denoise({"o.png", "-o", "o.fits"}).code, 0);
  EXPECT_NE(text_of("o.fits", "HISTORY Unmar "), "");
}

TEST_F(FilesCommand, QualityIsThatOfTheFile) {
  const auto size = [&](const Words& more) {
    EXPECT_EQ(denoise(Words{"c.jpg", "-o", "q.jpg"} + more).code, 0);
    return std::filesystem::file_size(in("q.jpg"));
  };
  const auto usual = size({});
  EXPECT_LT(size({"--quality", "30"}), usual);
  EXPECT_EQ(size({"--quality", "95"}), usual);
  EXPECT_GT(size({"--quality", "100"}), usual);
  expect_refusal({"denoise", "c.jpg", "-o", "q2.jpg", "--quality", "0"}, kUsage, {"got 0"});
}

TEST_F(FilesCommand, StrengthBlendsWithWhatCameIn) {
  put("a.tif", [&] {
    Image image = test_picture(16, 20);
    image.source.format = SampleFormat::f32;
    image.source.range = {0, 1};
    return image;
  }());
  for (const std::string method : {"dip", "patches", "auto"}) {
    const auto at = [&](const char* strength) {
      EXPECT_EQ(denoise({"a.tif", "-o", "o.tif", "--method", method, "--strength", strength}).code,
                0);
      return get("o.tif");
    };
    const Image none = at("0"), half = at("0.5"), full = at("1"), input = get("a.tif");
    ASSERT_EQ(denoise({"a.tif", "-o", "d.tif", "--method", method}).code, 0);
    const Image usual = get("d.tif");
    for (std::size_t i = 0; i < input.count(); ++i) {
      ASSERT_EQ(none.pixels()[i], input.pixels()[i]) << method;
      ASSERT_EQ(full.pixels()[i], usual.pixels()[i]) << method;
      ASSERT_NEAR(half.pixels()[i], (input.pixels()[i] + full.pixels()[i]) / 2, 1e-6) << method;
    }
  }
  expect_refusal({"denoise", "a.tif", "-o", "x.tif", "--strength", "1.5"}, kUsage, {"1.5"});
}

TEST_F(FilesCommand, StrengthLeavesHolesFilledAndPickTakesItWithoutAFit) {
  Image mask(1, 16, 20, 1.f);
  mask.at(0, 8, 3) = 0.f;
  put("mask.png", mask);
  const Words inpaint = Words{"inpaint", "a.png", "--mask", "mask.png", "--no-keep-known"} + kTiny;
  ASSERT_EQ(run(inpaint + Words{"-o", "full.png", "--run", "r"}).code, 0);
  ASSERT_EQ(run(inpaint + Words{"-o", "weak.png", "--strength", "0.25"}).code, 0);
  const Image full = get("full.png"), weak = get("weak.png"), input = get("a.png");
  EXPECT_EQ(weak.at(0, 8, 3), full.at(0, 8, 3));
  EXPECT_NEAR(weak.at(0, 2, 2), 0.75f * input.at(0, 2, 2) + 0.25f * full.at(0, 2, 2), 1. / 255);
  ASSERT_EQ(run({"pick", "r", "--iteration", "5", "-o", "p.png", "--strength", "0.25"}).code, 0);
  EXPECT_EQ(contents(in("p.png")), contents(in("weak.png")));
  ASSERT_EQ(run({"pick", "r", "--iteration", "5", "-o", "s.png", "--strip"}).code, 0);
  EXPECT_EQ(text_of("s.png", "Software"), "");
}

}  // namespace files_test
}  // namespace unmar::cli_test
