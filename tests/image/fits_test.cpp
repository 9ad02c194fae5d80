#include <fmt/format.h>

#include <cstring>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

constexpr std::size_t kBlock = 2880;  // FITS files are made of blocks

std::string card(const std::string& key, const std::string& value) {
  std::string text = key;
  text.resize(8, ' ');
  text += "= " + std::string(20 - std::min<std::size_t>(20, value.size()), ' ') + value;
  text.resize(80, ' ');
  return text;
}

std::string padded(std::string bytes, char with) {
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock, with);
  return bytes;
}

/// A FITS file written by hand: big-endian samples, first row at the bottom of the picture.
template <class T>
std::string fits_file(int bitpix, const std::vector<int>& sides, const std::vector<T>& samples,
                      const std::vector<std::pair<std::string, std::string>>& extra = {}) {
  std::string header = card("SIMPLE", "T") + card("BITPIX", std::to_string(bitpix)) +
                       card("NAXIS", std::to_string(sides.size()));
  for (std::size_t i = 0; i < sides.size(); ++i) {
    header += card("NAXIS" + std::to_string(i + 1), std::to_string(sides[i]));
  }
  for (const auto& [key, value] : extra) header += card(key, value);
  std::string end = "END";
  end.resize(80, ' ');
  std::string data;
  for (const T sample : samples) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &sample, sizeof(T));
    std::reverse(bytes, bytes + sizeof(T));  // the test machines are little-endian
    data.append(bytes, sizeof(T));
  }
  return padded(header + end, ' ') + padded(data, '\0');
}

std::string data_of(const std::string& file, std::size_t bytes) {
  return file.substr(kBlock, bytes);
}

class Fits : public InFolder {};

TEST_F(Fits, first_row_is_at_the_bottom_and_goes_back_there) {
  const std::string file = fits_file<float>(-32, {3, 2}, {-5, 2, 3, 4, 5.5f, 7});
  put_bytes(in("a.fits"), file);
  const Image image = read_image(in("a.fits"), {.range = RangeMode::full});
  EXPECT_THAT(image.pixels(), testing::ElementsAre(4.f, 5.5f, 7.f, -5.f, 2.f, 3.f));
  write_image(in("b.fits"), image);
  EXPECT_EQ(data_of(bytes_of(in("b.fits")), 24), data_of(file, 24));
}

TEST_F(Fits, unsigned_sixteen_bit_is_stored_with_bzero) {
  const std::string file = fits_file<std::int16_t>(
      16, {3, 2}, {-32768, -32766, 0, 32767, 100, -100}, {{"BZERO", "32768"}, {"BSCALE", "1"}});
  put_bytes(in("a.fits"), file);
  const Image image = read_image(in("a.fits"));
  EXPECT_EQ(image.source.format, SampleFormat::u16);
  EXPECT_EQ(image.source.range, (ValueRange{0, 65535}));
  EXPECT_NEAR(image.at(0, 1, 1), 2 / 65535., kSameSample);
  EXPECT_EQ(image.at(0, 0, 0), 1.f);
  write_image(in("b.fits"), image);
  EXPECT_EQ(data_of(bytes_of(in("b.fits")), 12), data_of(file, 12));
}

TEST_F(Fits, scaled_integers_are_read_as_float_in_physical_units) {
  put_bytes(in("a.fits"), fits_file<std::int16_t>(16, {3, 1}, {-32768, 0, 32767},
                                                  {{"BSCALE", "2.5"}, {"BZERO", "1000"}}));
  const Image image = read_image(in("a.fits"));
  EXPECT_EQ(image.source.format, SampleFormat::f32);
  EXPECT_EQ(image.source.range, (ValueRange{-32768 * 2.5 + 1000, 32767 * 2.5 + 1000}));
}

TEST_F(Fits, signed_integers_and_doubles_are_read_as_float) {
  put_bytes(in("a.fits"), fits_file<std::int16_t>(16, {3, 1}, {-5, 0, 15}));
  EXPECT_THAT(read_image(in("a.fits")).pixels(), testing::ElementsAre(0.f, 0.25f, 1.f));
  put_bytes(in("b.fits"), fits_file<std::int32_t>(32, {3, 1}, {-500000, 0, 1500000}));
  EXPECT_THAT(read_image(in("b.fits")).pixels(), testing::ElementsAre(0.f, 0.25f, 1.f));
  put_bytes(in("c.fits"), fits_file<double>(-64, {3, 1}, {1e9, 1e9 + 1, 1e9 + 4}));
  const Image image = read_image(in("c.fits"));
  EXPECT_EQ(image.source.format, SampleFormat::f32);
  EXPECT_THAT(image.pixels(), testing::ElementsAre(0.f, 0.25f, 1.f));  // 1e9 + 1 is no float
}

TEST_F(Fits, three_planes_are_red_green_and_blue) {
  std::vector<float> samples(18);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i);
  const std::string file = fits_file<float>(-32, {3, 2, 3}, samples);
  put_bytes(in("a.fits"), file);
  const Image image = read_image(in("a.fits"), {.range = RangeMode::full});
  ASSERT_EQ(image.channels(), 3);
  EXPECT_EQ(image.at(0, 1, 0), 0.f);
  EXPECT_EQ(image.at(1, 1, 0), 6.f);
  EXPECT_EQ(image.at(2, 0, 2), 17.f);
  write_image(in("b.fits"), image);
  EXPECT_EQ(data_of(bytes_of(in("b.fits")), 72), data_of(file, 72));
}

TEST_F(Fits, other_numbers_of_planes_are_data_with_a_range_each) {
  for (const int planes : {2, 4, 7}) {
    std::vector<float> samples;
    for (int i = 0; i < 4 * planes; ++i)
      samples.push_back(i < 4 ? static_cast<float>(i) : 500.f * static_cast<float>(i));
    const std::string file = fits_file<float>(-32, {2, 2, planes}, samples);
    put_bytes(in("a.fits"), file);
    const Image image = read_image(in("a.fits"));
    ASSERT_EQ(image.channels(), planes);
    EXPECT_TRUE(image.source.alpha.empty());
    EXPECT_EQ(image.source.channel_ranges[0], (ValueRange{0, 3}));
    EXPECT_EQ(image.source.channel_ranges[1], (ValueRange{2000, 3500}));
    write_image(in("b.fits"), image);
    EXPECT_EQ(data_of(bytes_of(in("b.fits")), 16u * static_cast<unsigned>(planes)),
              data_of(file, 16u * static_cast<unsigned>(planes)));
  }
}

TEST_F(Fits, what_is_blank_is_missing) {
  put_bytes(in("a.fits"),
            fits_file<std::int16_t>(16, {3, 1}, {-500, -32768, 1500}, {{"BLANK", "-32768"}}));
  const Image image = read_image(in("a.fits"), {.max_missing = 0.5});
  EXPECT_EQ(image.source.range, (ValueRange{-500, 1500}));
  EXPECT_EQ((*image.source.use)[1], SampleUse::missing);
  // Of the numbers in the file, before they are shifted.
  put_bytes(in("b.fits"), fits_file<std::int16_t>(16, {3, 1}, {-500, -32768, 1500},
                                                  {{"BLANK", "-500"}, {"BZERO", "32768"}}));
  const Image shifted = read_image(in("b.fits"), {.max_missing = 0.5});
  EXPECT_EQ(shifted.source.format, SampleFormat::u16);
  EXPECT_EQ((*shifted.source.use)[0], SampleUse::missing);
  EXPECT_EQ((*shifted.source.use)[1], SampleUse::used);
  // 600 - 32768 * 0.05 has more digits than a float.
  put_bytes(in("c.fits"),
            fits_file<std::int16_t>(16, {3, 1}, {-500, -32768, 1500},
                                    {{"BLANK", "-32768"}, {"BSCALE", "0.05"}, {"BZERO", "600"}}));
  const Image scaled = read_image(in("c.fits"), {.max_missing = 0.5});
  ASSERT_TRUE(scaled.source.use);
  EXPECT_EQ((*scaled.source.use)[1], SampleUse::missing);
  EXPECT_EQ(scaled.source.range.black, 575);
}

TEST_F(Fits, with_nan_or_infinity_is_refused_and_says_how_many) {
  const float nan = std::nanf(""), infinity = HUGE_VALF;
  put_bytes(in("a.fits"), fits_file<float>(-32, {3, 2}, {nan, 2, infinity, 4, -infinity, 7}));
  expect_error(ErrorCode::bad_input, {"has 3 NaN or infinite values of 6", "mask"},
               [&] { read_image(in("a.fits")); });
}

/// The cards of the first header.
std::vector<std::string> cards_of(const std::string& file) {
  std::vector<std::string> cards;
  for (std::size_t at = 0; at + 80 <= file.size(); at += 80) {
    cards.push_back(file.substr(at, 80));
    if (cards.back().starts_with("END ")) break;
  }
  return cards;
}

std::string text_card(std::string text) {
  text.resize(80, ' ');
  return text;
}

/// A header by hand, with cards as they come.
std::string float_file(const std::vector<std::string>& cards, int width, int height,
                       const std::vector<float>& samples) {
  std::string file = fits_file<float>(-32, {width, height}, samples);
  std::string extra;
  for (const std::string& card : cards) extra += card;
  const std::size_t end = file.find(text_card("END"));
  const std::string data = file.substr(kBlock);
  return padded(file.substr(0, end) + extra + text_card("END"), ' ') + data;
}

const std::vector<std::string> kObserved = {
    text_card("OBJECT  = 'M31 / core'         / what it is"),
    text_card("EXPTIME =                300.0 / s"),
    text_card("CTYPE1  = 'RA---TAN'"),
    text_card("CRVAL1  =             10.68471"),
    text_card("LONGNAME= 'a text that goes on and on&'"),
    text_card("CONTINUE  'and on'"),
    text_card("HIERARCH ESO DET ID = 'ccd 18'"),
    text_card("HISTORY flat field divided"),
    text_card("HISTORY"),
    text_card("HISTORY flat field divided"),
    text_card("COMMENT COMMENT = 'not a value'"),
    text_card(""),
    text_card("FILTER  = 'O''III  '"),
};

TEST_F(Fits, KeywordsAreKeptCardByCard) {
  put_bytes(in("a.fits"), float_file(kObserved, 2, 2, {0, 1, 2, 3}));
  Image image = read_image(in("a.fits"));
  image.source.metadata = with_provenance(image.source.metadata, "Unmar test");
  write_image(in("b.fits"), image);
  const auto cards = cards_of(bytes_of(in("b.fits")));
  const auto first = std::ranges::find(cards, kObserved.front());
  ASSERT_NE(first, cards.end());
  ASSERT_GE(cards.end() - first, static_cast<std::ptrdiff_t>(kObserved.size()) + 2);
  for (std::size_t i = 0; i < kObserved.size(); ++i)
    EXPECT_EQ(first[static_cast<std::ptrdiff_t>(i)], kObserved[i]);
  EXPECT_EQ(first[static_cast<std::ptrdiff_t>(kObserved.size())], text_card("HISTORY Unmar test"));
  EXPECT_EQ(std::ranges::count_if(cards, [](const auto& c) { return c.starts_with("NAXIS1 "); }),
            1);
  write_image(in("c.fits"), image, {.strip = true});
  EXPECT_EQ(bytes_of(in("c.fits")).find("M31"), std::string::npos);
  EXPECT_EQ(bytes_of(in("c.fits")).find("HISTORY"), std::string::npos);
}

TEST_F(Fits, WhatIsOfTheOldFileAloneIsLeftOut) {
  std::string file = fits_file<std::int16_t>(16, {3, 1}, {-32768, 0, 32767},
                                             {{"BSCALE", "2.5"},
                                              {"BZERO", "1000"},
                                              {"BLANK", "-99"},
                                              {"DATAMAX", "82917.5"},
                                              {"CHECKSUM", "'abc'"},
                                              {"DATASUM", "'1'"},
                                              {"GAIN", "1.5"}});
  put_bytes(in("a.fits"), file);
  write_image(in("b.fits"), read_image(in("a.fits")));
  const std::string header = bytes_of(in("b.fits")).substr(0, kBlock);
  for (const char* key : {"BSCALE", "BZERO", "BLANK", "DATAMAX", "CHECKSUM", "DATASUM"})
    EXPECT_EQ(header.find(key), header.npos) << key;
  EXPECT_NE(header.find("BITPIX  =                  -32"), header.npos);
  EXPECT_NE(header.find("GAIN    =                  1.5"), header.npos);
}

TEST_F(Fits, TopDownRowsAreReadAndWrittenTopDown) {
  for (const char* value : {"'TOP-DOWN'", "'top-down          '"}) {
    const std::string file =
        float_file({text_card("ROWORDER= " + std::string(value))}, 3, 2, {-5, 2, 3, 4, 5.5f, 7});
    put_bytes(in("a.fits"), file);
    const Image image = read_image(in("a.fits"), {.range = RangeMode::full});
    EXPECT_THAT(image.pixels(), testing::ElementsAre(-5.f, 2.f, 3.f, 4.f, 5.5f, 7.f));
    write_image(in("b.fits"), image);
    EXPECT_EQ(data_of(bytes_of(in("b.fits")), 24), data_of(file, 24));
    EXPECT_NE(bytes_of(in("b.fits")).find("ROWORDER"), std::string::npos);
    // Without the keyword the rows have to stand as the standard says.
    write_image(in("c.fits"), image, {.strip = true});
    EXPECT_EQ(read_image(in("c.fits"), {.range = RangeMode::full}).at(0, 0, 0), -5.f);
  }
  put_bytes(in("a.fits"), float_file({text_card("ROWORDER= 'BOTTOM-UP'")}, 1, 2, {1, 2}));
  EXPECT_THAT(read_image(in("a.fits"), {.range = RangeMode::full}).pixels(),
              testing::ElementsAre(2.f, 1.f));
}

TEST_F(Fits, EnlargingAdaptsTheWorldCoordinates) {
  const auto card = [](const char* key, const char* value) {
    return text_card(fmt::format("{:<8}= {:>20} / is adapted", key, value));
  };
  put_bytes(in("a.fits"),
            float_file({card("CRPIX1", "1.0"), card("CRPIX2", "10.5"), card("CDELT1", "-4D-4"),
                        card("CD1_1", "-0.0003"), card("CD2_2A", "0.5"), card("CD1_2", "0.0"),
                        card("PC1_1", "1.0"), card("A_2_0", "8.0"), card("XPIXSZ", "3.76"),
                        card("CRVAL1", "10.68"), card("LTM1_1", "0.5"), card("LTV1", "0.0")},
                       2, 2, {0, 1, 2, 3}));
  Image image = read_image(in("a.fits"));
  image.source.metadata = rescaled(image.source.metadata, 4);
  write_image(in("b.fits"), image);
  const std::string header = bytes_of(in("b.fits")).substr(0, kBlock);
  for (const auto& [key, value] : {std::pair{"CRPIX1", "2.5"},
                                   {"CRPIX2", "40.5"},
                                   {"CDELT1", "-0.0001"},
                                   {"CD1_1", "-7.5E-05"},
                                   {"CD2_2A", "0.125"},
                                   {"PC1_1", "1.0"},
                                   {"A_2_0", "2."},
                                   {"XPIXSZ", "0.94"},
                                   {"CRVAL1", "10.68"},
                                   {"LTM1_1", "2."},
                                   {"LTV1", "-1.5"}})
    EXPECT_NE(header.find(fmt::format("{:<8}= {:>20} / is adapted", key, value)), header.npos)
        << key;
}

TEST_F(Fits, ARegionIsWhereItWasInTheSky) {
  const auto card = [](const char* key, const char* value) {
    return text_card(fmt::format("{:<8}= {:>20} / is adapted", key, value));
  };
  for (const bool top_down : {false, true}) {
    put_bytes(in("a.fits"),
              float_file({card("CRPIX1", "10."), card("CRPIX2", "20."), card("LTV2", "0."),
                          text_card(top_down ? "ROWORDER= 'TOP-DOWN'" : "ROWORDER= 'BOTTOM-UP'")},
                         5, 4, std::vector<float>(20, 1.f)));
    write_image(in("b.fits"), read_image(in("a.fits"), {.region = Rect{1, 2, 2, 3}}));
    const std::string header = bytes_of(in("b.fits")).substr(0, kBlock);
    for (const auto& [key, value] : {std::pair{"CRPIX1", "8."}, {"CRPIX2", "19."}, {"LTV2", "-1."}})
      EXPECT_NE(header.find(fmt::format("{:<8}= {:>20} / is adapted", key, value)), header.npos)
          << key << top_down;
  }
}

TEST_F(Fits, KeywordsGoIntoTheDescriptionOfOtherTypes) {
  put_bytes(in("a.fits"), float_file(kObserved, 2, 2, {0, 1, 2, 3}));
  write_image(in("b.tif"), read_image(in("a.fits")));
  EXPECT_NE(bytes_of(in("b.tif")).find(kObserved[0] + "\n" + kObserved[1]), std::string::npos);
}

}  // namespace
}  // namespace unmar
