#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

/// A file whose samples are the given values in source units.
class Range : public InFolder {
 protected:
  std::filesystem::path stored(const std::string& name, SampleFormat format,
                               const std::vector<float>& samples) {
    Image image(1, 1, static_cast<int>(samples.size()));
    const double white = format == SampleFormat::u8 ? 255 : format == SampleFormat::u16 ? 65535 : 1;
    image.source.format = format;
    image.source.range = {0, white};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      image.pixels()[i] = static_cast<float>(static_cast<double>(samples[i]) / white);
    }
    write_image(in(name), image);
    return in(name);
  }
};

TEST_F(Range, of_eight_bit_is_always_full_unless_asked) {
  const auto path = stored("a.png", SampleFormat::u8, {3, 40});
  EXPECT_EQ(read_image(path).source.range, (ValueRange{0, 255}));
  const Image stretched = read_image(path, {.range = RangeMode::data});
  EXPECT_EQ(stretched.source.range, (ValueRange{3, 40}));
  EXPECT_THAT(stretched.pixels(), testing::ElementsAre(0.f, 1.f));
}

TEST_F(Range, of_sixteen_bit_is_that_of_the_data_if_they_use_less_than_a_quarter) {
  const auto dim = stored("a.png", SampleFormat::u16, {5, 120, 235});
  EXPECT_EQ(read_image(dim).source.range, (ValueRange{5, 235}));
  EXPECT_THAT(read_image(dim).pixels(), testing::ElementsAre(0.f, 0.5f, 1.f));
  EXPECT_EQ(read_image(dim, {.range = RangeMode::full}).source.range, (ValueRange{0, 65535}));

  // 65535 / 4 is 16383.75.
  EXPECT_EQ(read_image(stored("b.png", SampleFormat::u16, {100, 100 + 16383})).source.range,
            (ValueRange{100, 16483}));
  EXPECT_EQ(read_image(stored("c.png", SampleFormat::u16, {100, 100 + 16384})).source.range,
            (ValueRange{0, 65535}));
}

TEST_F(Range, of_float_is_0_to_1_only_if_the_data_lie_within_and_use_a_quarter) {
  const auto range = [&](const std::vector<float>& samples) {
    return read_image(stored("a.tif", SampleFormat::f32, samples)).source.range;
  };
  EXPECT_EQ(range({0.25f, 0.5f}), (ValueRange{0, 1}));
  EXPECT_EQ(range({0.25f, 0.375f}), (ValueRange{0.25, 0.375}));
  EXPECT_EQ(range({0.5f, 1.5f}), (ValueRange{0.5, 1.5}));
  EXPECT_EQ(range({-0.25f, 1.f}), (ValueRange{-0.25, 1}));
  EXPECT_EQ(range({-2e4f, 3e4f}), (ValueRange{-2e4, 3e4}));
}

TEST_F(Range, of_a_constant_picture_is_full_if_it_lies_within_and_gives_finite_pixels) {
  for (const RangeMode mode : {RangeMode::automatic, RangeMode::data}) {
    const ReadOptions options{.range = mode};
    EXPECT_EQ(read_image(stored("a.png", SampleFormat::u16, {7, 7}), options).source.range,
              (ValueRange{0, 65535}));
    EXPECT_EQ(read_image(stored("a.tif", SampleFormat::f32, {0.5f, 0.5f}), options).pixels()[0],
              0.5f);
    for (const float value : {5.f, -3.f, 1e30f, -1e30f}) {
      const Image image = read_image(stored("a.tif", SampleFormat::f32, {value, value}), options);
      EXPECT_THAT(image.pixels(), testing::Each(0.f));
      write_image(in("b.tif"), image);
      EXPECT_EQ(bytes_of(in("b.tif")), bytes_of(in("a.tif")));
    }
  }
}

TEST_F(Range, fixed_by_the_caller_overrides_the_mode) {
  const auto path = stored("a.png", SampleFormat::u16, {100, 300, 600});
  const Image image =
      read_image(path, {.range = RangeMode::data, .fixed_range = ValueRange{100, 500}});
  EXPECT_EQ(image.source.range, (ValueRange{100, 500}));
  EXPECT_THAT(image.pixels(), testing::ElementsAre(0.f, 0.5f, 1.25f));
}

TEST_F(Range, fixed_must_have_black_below_white) {
  const auto path = stored("a.png", SampleFormat::u8, {1, 2});
  for (const ValueRange& bad : {ValueRange{5, 5}, {6, 5}, {0, HUGE_VAL}, {NAN, 1}}) {
    expect_error(ErrorCode::bad_argument, {"read_image: fixed_range"},
                 [&] { read_image(path, {.fixed_range = bad}); });
  }
}

TEST_F(Range, brings_samples_back_to_source_units_in_the_source_format) {
  for (const char* name : {"a.png", "a.tif", "a.fits"}) {
    const auto path = stored(name, SampleFormat::u16, {5, 6, 100, 235});
    const Image image = read_image(path);
    ASSERT_EQ(image.source.range, (ValueRange{5, 235}));
    const auto again = in(std::string("again-") + name);
    write_image(again, image);
    EXPECT_EQ(bytes_of(again), bytes_of(path)) << name;
  }
}

TEST_F(Range, that_was_stretched_fills_eight_bits) {
  const Image image = read_image(stored("a.png", SampleFormat::u16, {5, 120, 235}));
  for (const char* name : {"b.jpg", "b.webp"}) {
    Image block(1, 16, 48);  // lossy formats blur single pixels
    block.source = image.source;
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 48; ++x)
        block.at(0, y, x) = image.pixels()[static_cast<std::size_t>(x / 16)];
    }
    write_image(in(name), block);
    const Image back = read_image(in(name));
    constexpr double kLossy = 0.02;
    EXPECT_NEAR(back.at(0, 8, 8), 0, kLossy) << name;
    EXPECT_NEAR(back.at(0, 8, 24), 0.5, kLossy) << name;
    EXPECT_NEAR(back.at(0, 8, 40), 1, kLossy) << name;
  }
}

TEST_F(Range, that_was_stretched_keeps_source_units_in_float) {
  const Image image = read_image(stored("a.png", SampleFormat::u16, {5, 120, 235}));
  write_image(in("b.tif"), image, {.format = SampleFormat::f32});
  EXPECT_THAT(read_image(in("b.tif"), {.range = RangeMode::full}).pixels(),
              testing::ElementsAre(5.f, 120.f, 235.f));
}

TEST_F(Range, that_was_full_stays_full_in_another_format) {
  const Image image = read_image(stored("a.png", SampleFormat::u8, {0, 51, 255}));
  write_image(in("b.tif"), image, {.format = SampleFormat::f32});
  EXPECT_THAT(read_image(in("b.tif"), {.range = RangeMode::full}).pixels(),
              testing::ElementsAre(0.f, 0.2f, 1.f));
  write_image(in("b.png"), image, {.format = SampleFormat::u16});
  EXPECT_THAT(read_image(in("b.png")).pixels(), testing::ElementsAre(0.f, 0.2f, 1.f));
}

TEST_F(Range, of_float_data_fills_sixteen_bits_in_png) {
  const Image image = read_image(stored("a.tif", SampleFormat::f32, {-2.f, 0.f, 2.f}));
  write_image(in("b.png"), image);
  const Image back = read_image(in("b.png"), {.range = RangeMode::full});
  constexpr double kHalf16BitStep = 0.5 / 65535 + 1e-6;
  EXPECT_EQ(back.pixels()[0], 0.f);
  EXPECT_NEAR(back.pixels()[1], 0.5, kHalf16BitStep);
  EXPECT_EQ(back.pixels()[2], 1.f);
}

}  // namespace
}  // namespace unmar
