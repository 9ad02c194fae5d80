#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace pictures_test {

using Json = nlohmann::json;

/// 16-bit frames that use 1 % of their range.
class PicturesOfScience : public CliTest {
 protected:
  static Image frame() {
    Image image = test_picture(32, 32);
    image = to_gray(image);
    for (float& v : image.pixels()) v = (600 + 250 * v) / 65535;
    image.source.format = SampleFormat::u16;
    image.source.range = {0, 65535};
    return image;
  }
  Json restore(Words words, const Words& more = {}) const {
    const Outcome outcome = run(std::move(words) + kTiny + Words{"--json"} + more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    told_ = outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }
  mutable std::string told_;
};

TEST_F(PicturesOfScience, AHotPixelIsFilledSaidAndChangesNothingElsewhere) {
  Image hot = frame();
  put("plain.tif", hot);
  for (int y = 20; y < 24; ++y)
    for (int x = 20; x < 24; ++x) hot.at(0, y, x) = 1.f;
  hot.at(0, 5, 9) = 1.f;
  put("hot.tif", hot);
  const Json values =
      restore({"denoise", "hot.tif", "-o", "out.tif", "--manifest", "m.json"})["values"];
  EXPECT_EQ(values["outliers_filled"], 1);
  EXPECT_EQ(values["outliers_kept"], 16);
  EXPECT_THAT(told_, testing::HasSubstr("1 filled, 16 kept"));
  const Image out = read_image(in("out.tif"), {.range = RangeMode::full});
  EXPECT_LT(out.at(0, 5, 9) * 65535, 1000);
  for (int y = 20; y < 24; ++y) EXPECT_EQ(out.at(0, y, 21), 1.f);
  EXPECT_EQ(restore({"denoise", "hot.tif", "-o", "o.tif", "--outliers",
                     "keep"})["values"]["outliers_kept"],
            17);
  EXPECT_EQ(read_image(in("o.tif"), {.range = RangeMode::full}).at(0, 5, 9), 1.f);
}

TEST_F(PicturesOfScience, WhatLiesUnderTheMaskChangesNoByteOfTheResult) {
  Image mask(1, 32, 32, 1.f);
  for (int y = 8; y < 12; ++y)
    for (int x = 8; x < 14; ++x) mask.at(0, y, x) = 0.f;
  put("mask.png", mask);
  std::string first;
  for (const float value : {0.f, 700.f / 65535, 1.f}) {
    Image holed = frame();
    for (std::size_t i = 0; i < mask.count(); ++i)
      if (mask.pixels()[i] == 0.f) holed.pixels()[i] = value;
    put("holed.tif", holed);
    const Json values =
        restore({"inpaint", "holed.tif", "--mask", "mask.png", "-o", "out.tif"})["values"];
    EXPECT_EQ(values["masked"], 24);
    const std::string bytes = contents(in("out.tif"));
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first) << value;
  }
  EXPECT_THAT(told_, testing::HasSubstr("97.7 % of the picture is known"));
}

TEST_F(PicturesOfScience, ARangeThatIsNoneIsRefusedBeforeTheFit) {
  put("a.tif", frame());
  const Outcome outcome =
      run(Words{"denoise", "a.tif", "-o", "o.tif", "--range", "900..100"} + kTiny);
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, testing::HasSubstr("LOW..HIGH"));
}

TEST_F(PicturesOfScience, TwoChannelsAreRestoredAndNeedAFileThatHoldsThem) {
  Image two(2, 32, 32);
  const Image one = frame();
  for (std::size_t i = 0; i < one.count(); ++i) {
    two.plane(0)[i] = one.pixels()[i] * 65535;
    two.plane(1)[i] = static_cast<float>(i % 7);
  }
  two.source.format = SampleFormat::f32;
  two.source.range = {0, 1};
  put("two.tif", two);
  restore({"denoise", "two.tif", "-o", "out.tif"});
  EXPECT_EQ(get("out.tif").channels(), 2);
  EXPECT_NE(run(Words{"denoise", "two.tif", "-o", "out.png"} + kTiny).code, 0);
  EXPECT_THAT(run({"info", "two.tif"}).out, testing::HasSubstr("2 channels"));
}

TEST_F(PicturesOfScience, TheManifestTellsTheRangeOfEveryChannel) {
  Image two(2, 8, 8);
  for (std::size_t i = 0; i < two.plane(0).size(); ++i) {
    two.plane(0)[i] = 500 + static_cast<float>(i);
    two.plane(1)[i] = static_cast<float>(i % 7) * -3;
  }
  two.source.format = SampleFormat::f32;
  two.source.range = {0, 1};
  put("two.tif", two);
  restore({"denoise", "two.tif", "-o", "out.tif", "--manifest", "m.json"});
  const Json input = Json::parse(contents(in("m.json")))["input"];
  EXPECT_EQ(input["ranges"], Json::parse(R"([{"black": 500, "white": 563},
                                             {"black": -18, "white": 0}])"));
  EXPECT_FALSE(input.contains("black"));
}

TEST_F(PicturesOfScience, InfoSaysWhichNumbersAFileHolds) {
  using enum OtherNumbers;
  for (const auto& [numbers, words] : {std::pair{i8, "gray, 8 bit, signed, tiff"},
                                       {i16, "gray, 16 bit, signed, tiff"},
                                       {u32, "gray, 32 bit, tiff"},
                                       {i32, "gray, 32 bit, signed, tiff"},
                                       {f64, "gray, double, tiff"},
                                       {none, "gray, float, tiff"}}) {
    Image image(1, 8, 8);
    for (std::size_t i = 0; i < image.count(); ++i) image.pixels()[i] = static_cast<float>(i);
    image.source.format = SampleFormat::f32;
    image.source.numbers = numbers;
    image.source.range = {0, 1};
    put("a.tif", image);
    EXPECT_THAT(run({"info", "a.tif"}).out, testing::HasSubstr(words));
  }
}

TEST_F(PicturesOfScience, TheSameNumbersAsIntegersAndAsFloatsAreEqual) {
  Image image = frame();
  put("a.tif", image);
  for (float& v : image.pixels()) v = std::round(v * 65535);
  image.source.format = SampleFormat::f32;
  image.source.range = {0, 1};
  put("b.tif", image);
  EXPECT_EQ(run({"compare", "a.tif", "b.tif"}).out, "PSNR inf dB  SSIM 1.0000\n");
  EXPECT_EQ(run({"compare", "b.tif", "a.tif"}).out, "PSNR inf dB  SSIM 1.0000\n");
}

}  // namespace pictures_test
}  // namespace unmar::cli_test
