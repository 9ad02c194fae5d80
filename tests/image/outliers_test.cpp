#include <bit>
#include <limits>
#include <optional>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

/// Frames of 32x32 px as cameras of telescopes and microscopes write them: 600..870 of 65535.
class Outlying : public InFolder {
 protected:
  static constexpr int kSide = 32;

  std::vector<float> frame() const {
    std::vector<float> values;
    const Image noise = busy_picture(1, kSide, kSide);
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x)
        values.push_back(std::round(600 + 7.f * static_cast<float>(y) + 50 * noise.at(0, y, x)));
    return values;
  }
  static std::size_t at(int y, int x) { return static_cast<std::size_t>(y * kSide + x); }

  std::filesystem::path put(const std::string& name, const std::vector<float>& values,
                            SampleFormat format = SampleFormat::u16) {
    Image image(1, kSide, kSide);
    image.source.format = format;
    image.source.range = {0, format == SampleFormat::u16 ? 65535. : 1.};
    for (std::size_t i = 0; i < values.size(); ++i)
      image.pixels()[i] =
          static_cast<float>(static_cast<double>(values[i]) / image.source.range.white);
    write_image(in(name), image);
    return in(name);
  }
  static std::string fits_of_doubles(const std::vector<double>& values) {
    std::string file;
    for (const char* card : {"SIMPLE  =                    T", "BITPIX  =                  -64",
                             "NAXIS   =                    2", "NAXIS1  =                   32",
                             "NAXIS2  =                   32", "END"})
      (file += card).resize((file.size() + 79) / 80 * 80, ' ');
    file.resize(2880, ' ');
    for (const double value : values) {
      const auto bits = std::bit_cast<std::uint64_t>(value);
      for (int shift = 56; shift >= 0; shift -= 8) file += static_cast<char>(bits >> shift);
    }
    file.resize((file.size() + 2879) / 2880 * 2880, '\0');
    return file;
  }
  static SampleUse use(const Image& image, int y, int x) {
    return image.source.use ? (*image.source.use)[at(y, x)] : SampleUse::used;
  }
  static std::ptrdiff_t unused(const Image& image) {
    if (!image.source.use) return 0;
    return std::ranges::count_if(*image.source.use,
                                 [](SampleUse u) { return u != SampleUse::used; });
  }
};

TEST_F(Outlying, ASingleOneDoesNotMoveTheRange) {
  const ValueRange plain = read_image(put("plain.tif", frame())).source.range;
  for (const float value : {9000.f, 65535.f}) {
    std::vector<float> values = frame();
    values[at(10, 20)] = value;
    const Image image = read_image(put("hot.tif", values));
    EXPECT_EQ(image.source.range, plain) << value;
    EXPECT_EQ(use(image, 10, 20), SampleUse::outlier) << value;
    EXPECT_EQ(unused(image), 1) << value;
  }
}

TEST_F(Outlying, ARegionWithoutDataDoesNotMoveTheRangeHoweverLargeItIs) {
  for (const float sentinel : {-9999.f, 1e30f, std::numeric_limits<float>::max(), -1e38f})
    for (const int rows : {2, 4, 10, 20, 28}) {
      std::vector<float> values = frame();
      for (int y = 0; y < rows; ++y)
        for (int x = 0; x < kSide; ++x) values[at(y, x)] = sentinel;
      SCOPED_TRACE(testing::Message() << sentinel << " in " << rows << " rows");
      const Image image = read_image(put("a.tif", values, SampleFormat::f32));
      EXPECT_GE(image.source.range.black, 600);
      EXPECT_LE(image.source.range.white, 870);
      EXPECT_EQ(use(image, 1, 9), SampleUse::kept);
      EXPECT_EQ(unused(image), rows * kSide);
      write_image(in("b.tif"), image);
      EXPECT_EQ(read_image(in("b.tif"), {.fixed_range = ValueRange{0, 1}}).at(0, 0, 7), sentinel);
    }
}

TEST_F(Outlying, TwoValuesThatMeanNoDataAreBothOutside) {
  std::vector<float> values = frame();
  for (int x = 0; x < kSide; ++x)
    for (int y = 0; y < 8; ++y) values[at(y, x)] = y < 4 ? -9999.f : 1e30f;
  const Image image = read_image(put("a.tif", values, SampleFormat::f32));
  EXPECT_LE(image.source.range.white, 870);
  EXPECT_EQ(unused(image), 8 * kSide);
}

TEST_F(Outlying, ABackgroundOfOneValueBelongsToThePicture) {
  // A cell that a program cut out.
  std::vector<float> values(frame().size(), 0.f);
  for (int y = 8; y < 20; ++y)
    for (int x = 8; x < 20; ++x) values[at(y, x)] = 30000 + frame()[at(y, x)];
  const Image image = read_image(put("a.tif", values));
  EXPECT_EQ(image.source.range.black, 0);
  EXPECT_EQ(unused(image), 0);
}

TEST_F(Outlying, WhatNoFloatHoldsIsKept) {
  const std::vector<float> values = frame();
  std::vector<double> stored(values.begin(), values.end());
  for (int y = 3; y < 8; ++y)
    for (int x = 3; x < 8; ++x) stored[at(y, x)] = -std::numeric_limits<double>::max();
  put_bytes(in("a.fits"), fits_of_doubles(stored));
  const Image read = read_image(in("a.fits"));
  EXPECT_EQ(unused(read), 25);
  write_image(in("b.fits"), read);
  EXPECT_EQ(bytes_of(in("b.fits")).substr(2880, stored.size() * sizeof(double)),
            bytes_of(in("a.fits")).substr(2880, stored.size() * sizeof(double)));
}

TEST_F(Outlying, TheTraceOfAParticleIsOneToo) {
  std::vector<float> values = frame();
  for (int i = 0; i < 20; ++i) values[at(5 + i / 2, 4 + i)] = 20000 + 900.f * static_cast<float>(i);
  const Image image = read_image(put("a.tif", values));
  EXPECT_EQ(use(image, 5, 4), SampleUse::outlier);
  EXPECT_EQ(unused(image), 20);
}

TEST_F(Outlying, ASaturatedCoreIsKeptAndComesBackExactly) {
  std::vector<float> values = frame();
  for (int y = 8; y < 13; ++y)
    for (int x = 8; x < 13; ++x) values[at(y, x)] = 65535;
  const auto path = put("star.tif", values);
  const Image image = read_image(path);
  EXPECT_EQ(image.source.range, read_image(put("plain.tif", frame())).source.range);
  EXPECT_EQ(use(image, 10, 10), SampleUse::kept);
  EXPECT_EQ(unused(image), 25);
  write_image(in("again.tif"), image);
  EXPECT_EQ(bytes_of(in("again.tif")), bytes_of(path));
}

TEST_F(Outlying, ALineDrawnIntoThePictureIsKept) {
  std::vector<float> values = frame();
  for (int x = 5; x < 25; ++x) values[at(28, x)] = 65535;
  const Image image = read_image(put("bar.tif", values));
  EXPECT_EQ(use(image, 28, 10), SampleUse::kept);
  EXPECT_EQ(unused(image), 20);
}

TEST_F(Outlying, ASmallStarIsNone) {
  std::vector<float> values = frame();
  for (int y = -4; y <= 4; ++y)
    for (int x = -4; x <= 4; ++x)
      values[at(16 + y, 16 + x)] +=
          std::round(2500 * std::exp(-static_cast<float>(x * x + y * y) / 1.6f));
  EXPECT_EQ(unused(read_image(put("a.tif", values))), 0);
}

TEST_F(Outlying, OfOrdinaryPicturesAreNone) {
  std::vector<float> values = frame();  // a photograph that uses its 16 bits
  for (float& v : values) v = (v - 600) * 200;
  values[at(3, 3)] = 65535;
  values[at(20, 3)] = 0;
  const Image photo = read_image(put("photo.png", values));
  EXPECT_EQ(photo.source.range, (ValueRange{0, 65535}));
  EXPECT_FALSE(photo.source.use);
}

TEST_F(Outlying, ASentinelAmongSharesIsOne) {
  std::vector<float> values = frame();
  for (float& v : values) v = (v - 600) / 300;
  values[at(4, 4)] = -9999;
  const Image image = read_image(put("a.tif", values, SampleFormat::f32));
  EXPECT_EQ(image.source.range, (ValueRange{0, 1}));
  EXPECT_EQ(use(image, 4, 4), SampleUse::outlier);
}

TEST_F(Outlying, AreAllKeptOrAllFilledIfThatIsAsked) {
  std::vector<float> values = frame();
  values[at(2, 2)] = 65535;
  for (int y = 8; y < 13; ++y)
    for (int x = 8; x < 13; ++x) values[at(y, x)] = 65535;
  const auto path = put("a.tif", values);
  const Image kept = read_image(path, {.outliers = Outliers::keep});
  EXPECT_EQ(use(kept, 2, 2), SampleUse::kept);
  EXPECT_EQ(use(kept, 10, 10), SampleUse::kept);
  const Image filled = read_image(path, {.outliers = Outliers::fill});
  EXPECT_EQ(use(filled, 2, 2), SampleUse::outlier);
  EXPECT_EQ(use(filled, 10, 10), SampleUse::outlier);
}

TEST_F(Outlying, AreWhatAGivenRangeLeavesOut) {
  const auto path = put("a.tif", frame());
  ReadOptions options;
  parse_range("620..800", options);
  const Image image = read_image(path, options);
  EXPECT_EQ(image.source.range, (ValueRange{620, 800}));
  for (std::size_t i = 0; i < image.count(); ++i) {
    const float v = frame()[i];
    EXPECT_EQ((*image.source.use)[i] == SampleUse::used, v >= 620 && v <= 800) << v;
  }
  parse_range("25..75%", options);
  const ValueRange half = read_image(path, options).source.range;
  EXPECT_GT(half.black, 640);
  EXPECT_LT(half.white, 820);
}

TEST(RangeInWords, IsReadBack) {
  for (const char* text : {"auto", "full", "data", "0..4095", "-2.5..1e+30", "0.1..99.9%"}) {
    ReadOptions options;
    parse_range(text, options);
    EXPECT_EQ(range_in_words(options), text);
  }
  for (const char* text : {"", "wide", "5", "5..", "..5", "5..2", "1..1", "0..101%", "nan..5"}) {
    ReadOptions options;
    expect_error(ErrorCode::bad_argument, {"`range`: '" + std::string(text), "LOW..HIGH"},
                 [&] { parse_range(text, options); });
  }
}

TEST_F(Outlying, NothingUnderAMaskHasAnInfluence) {
  Image known(1, kSide, kSide, 1.f);
  for (int y = 5; y < 12; ++y)
    for (int x = 5; x < 15; ++x) known.at(0, y, x) = 0.f;
  for (const SampleFormat format : {SampleFormat::u16, SampleFormat::f32}) {
    std::optional<Image> first;
    const Image noise = busy_picture(1, kSide, kSide, 60000);
    for (int draw = 0; draw < 6; ++draw) {
      std::vector<float> values = frame();
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (known.pixels()[i] > 0.f) continue;
        values[i] = std::round(
            noise.pixels()[(i * 7 + 13 * static_cast<std::size_t>(draw)) % values.size()] *
            (draw == 0 ? 100.f : 65535.f));
      }
      const auto path = put("a.tif", values, format);
      if (format == SampleFormat::f32 && draw > 3) {
        // Raw floats: the writer refuses NaN, files do not.
        std::string bytes = bytes_of(path);
        const float old = values[at(6, 6)];
        const float bad = draw == 4 ? NAN : -HUGE_VALF;
        const std::string from(reinterpret_cast<const char*>(&old), sizeof old);
        const auto place = bytes.find(from);
        ASSERT_NE(place, std::string::npos);
        bytes.replace(place, sizeof bad, reinterpret_cast<const char*>(&bad), sizeof bad);
        put_bytes(path, bytes);
      }
      const Image image = read_image(path, {}, &known);
      if (!first) first = image;
      EXPECT_EQ(image.source.range, first->source.range) << draw;
      EXPECT_EQ(*image.source.use, *first->source.use) << draw;
      EXPECT_TRUE(std::ranges::equal(image.pixels(), first->pixels())) << draw;
    }
  }
}

TEST_F(Outlying, MissingSamplesAreMarkedUpToTheShareThatIsAllowed) {
  std::vector<float> values = frame();
  const auto path = put("a.tif", values, SampleFormat::f32);
  std::string bytes = bytes_of(path);
  const std::string from(reinterpret_cast<const char*>(&values[at(9, 9)]), sizeof(float));
  const float nan = NAN;
  std::size_t place = bytes.find(from);
  int count = 0;
  for (; place != std::string::npos; place = bytes.find(from, place + 4), ++count)
    bytes.replace(place, sizeof nan, reinterpret_cast<const char*>(&nan), sizeof nan);
  put_bytes(path, bytes);
  const Image image = read_image(path, {.max_missing = 0.5});
  EXPECT_EQ(use(image, 9, 9), SampleUse::missing);
  EXPECT_EQ(unused(image), count);
  EXPECT_EQ(image.at(0, 9, 9), 0.f);
  expect_error(ErrorCode::bad_input, {"NaN or infinite", "mask"}, [&] { read_image(path); });
  expect_error(ErrorCode::bad_input, {"NaN or infinite", "more than"},
               [&] { read_image(path, {.max_missing = 1e-4}); });
}

TEST_F(Outlying, UnchangedFloatsAreWrittenBitForBit) {
  std::vector<float> values = frame();
  for (float& v : values) v = v * 1.2345678f + 0.1f;
  const auto path = put("a.tif", values, SampleFormat::f32);
  Image image = read_image(path);
  write_image(in("same.tif"), image);
  EXPECT_EQ(bytes_of(in("same.tif")), bytes_of(path));
  image.at(0, 3, 3) = 0.5f;
  write_image(in("other.tif"), image);
  const Image back = read_image(in("other.tif"), {.fixed_range = image.source.range});
  EXPECT_NEAR(back.at(0, 3, 3), 0.5, kSameSample);
}

TEST_F(Outlying, TheSameNumbersCompareAsEqualInEveryFormat) {
  std::vector<float> dim = frame(), bright = frame(), small = frame();
  for (float& v : bright) v *= 60;
  for (float& v : small) v = std::round((v - 600) / 2);
  for (const std::vector<float>& values : {dim, bright, small}) {
    const auto u16 = put("a.tif", values), f32 = put("b.tif", values, SampleFormat::f32);
    const Image a = read_image(u16), b = read_image(f32);
    EXPECT_EQ(psnr(a, read_like(a, f32)), HUGE_VAL);
    EXPECT_EQ(psnr(b, read_like(b, u16)), HUGE_VAL);
  }
  Image eight(1, kSide, kSide);
  for (std::size_t i = 0; i < small.size(); ++i) eight.pixels()[i] = small[i] / 255;
  write_image(in("c.png"), eight);
  const auto u16 = put("a.tif", small), f32 = put("b.tif", small, SampleFormat::f32);
  const Image c = read_image(in("c.png"));
  EXPECT_EQ(psnr(c, read_like(c, u16)), HUGE_VAL);
  EXPECT_EQ(psnr(c, read_like(c, f32)), HUGE_VAL);
  // As programs convert: white stays white.
  write_image(in("d.png"), c, {.format = SampleFormat::u16});
  write_image(in("e.tif"), c, {.format = SampleFormat::f32});
  EXPECT_EQ(psnr(c, read_like(c, in("d.png"))), HUGE_VAL);
  EXPECT_EQ(psnr(c, read_like(c, in("e.tif"))), HUGE_VAL);
}

}  // namespace
}  // namespace unmar
