#include "image/tiff_tags.h"
#include "support.h"

namespace unmar {
namespace {

using namespace image_test;
using unmar::image::read_tiff_tags;

/// Channels that are no colours.
class Data : public InFolder {
 protected:
  Image channels(int count, SampleFormat format) {
    Image image = busy_picture(count, 8, 9);
    image.source.format = format;
    for (int c = 0; c < count; ++c)
      image.source.channel_ranges.push_back({100. * c, 100. * c + 255 * (c + 1)});
    image.source.range = image.source.channel_ranges[0];
    return image;
  }
};

TEST_F(Data, OfAnyNumberGoThroughTiffAndFits) {
  for (const SampleFormat format : {SampleFormat::u16, SampleFormat::f32})
    for (const int count : {2, 4, 5, 7})
      for (const char* name : {"a.tif", "a.fits"}) {
        write_image(in(name), channels(count, format));
        const Image back = read_image(in(name));
        ASSERT_EQ(back.channels(), count) << name;
        EXPECT_TRUE(back.source.alpha.empty()) << name;
        write_image(in(std::string("again-") + name), back);
        EXPECT_EQ(bytes_of(in(std::string("again-") + name)), bytes_of(in(name))) << name << count;
      }
}

TEST_F(Data, AreToldFromAlphaByTheFile) {
  write_image(in("data.tif"), channels(2, SampleFormat::u16));
  EXPECT_EQ(read_tiff_tags(in("data.tif"))->first_extra, 0);
  EXPECT_FALSE(read_image_info(in("data.tif")).has_alpha);
  for (const int colours : {1, 3}) {
    Image image = busy_picture(colours, 8, 9);
    image.source.alpha.assign(72, 0.5f);
    image.source.format = SampleFormat::f32;
    image.source.range = {0, 1};
    write_image(in("alpha.tif"), image);
    EXPECT_EQ(read_tiff_tags(in("alpha.tif"))->first_extra, 2);
    const Image back = read_image(in("alpha.tif"));
    EXPECT_EQ(back.channels(), colours);
    EXPECT_EQ(back.source.alpha, image.source.alpha);
  }
}

TEST_F(Data, OfOneChannelDoNotSetTheRangeOfAnother) {
  write_image(in("a.tif"), channels(4, SampleFormat::f32));
  const Image back = read_image(in("a.tif"));
  for (int c = 0; c < 4; ++c) {
    const auto [least, most] = std::ranges::minmax(back.plane(c));
    EXPECT_EQ(least, 0.f) << c;
    EXPECT_EQ(most, 1.f) << c;
  }
  EXPECT_EQ(psnr(back, read_like(back, in("a.tif"))), HUGE_VAL);
}

TEST_F(Data, AreNotWrittenWhereOnlyColoursFit) {
  for (const char* name : {"a.png", "a.jpg", "a.webp"}) {
    expect_error(ErrorCode::bad_argument, {"2 channels", ".tif or .fits"},
                 [&] { write_image(in(name), channels(2, SampleFormat::u8)); });
    expect_error(ErrorCode::bad_argument, {"2 channels"},
                 [&] { check_holds(in(name), facts_of(channels(2, SampleFormat::u8))); });
  }
}

TEST_F(Data, TagsOfFilesThatEndSoonAreNothing) {
  write_image(in("a.tif"), channels(2, SampleFormat::u16));
  const std::string whole = bytes_of(in("a.tif"));
  for (const std::size_t size : {0u, 3u, 7u, 8u}) {
    put_bytes(in("b.tif"), whole.substr(0, size));
    EXPECT_FALSE(read_tiff_tags(in("b.tif"))) << size;
  }
}

}  // namespace
}  // namespace unmar
