#include <cstring>
#include <vips/vips8>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;
using vips::VImage;

/// Files made by libvips itself, so that reading is not tested by our own writing.
class Metadata : public InFolder {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(VIPS_INIT("unmar test"), 0); }

  /// 8-bit sRGB; each band is 10 * band + 20 * y + 5 * x.
  static VImage ramp(int bands, int width = 4, int height = 3) {
    VImage result = VImage::xyz(width, height).linear(1, 0);
    result = result.extract_band(0) * 5 + result.extract_band(1) * 20;
    std::vector<VImage> all;
    for (int band = 0; band < bands; ++band) all.push_back(result + 10 * band);
    return VImage::bandjoin(all)
        .cast(VIPS_FORMAT_UCHAR)
        .copy(VImage::option()->set(
            "interpretation", bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB));
  }

  static double ramp_at(int band, int y, int x) { return (10. * band + 20. * y + 5. * x) / 255; }
};

TEST_F(Metadata, exif_orientation_turns_pixels_and_is_not_written_again) {
  // Where the pixel (y, x) of the upright 4x3 picture is stored, for each EXIF orientation.
  struct Orientation {
    int tag, stored_width, stored_height;
    std::pair<int, int> (*stored)(int y, int x);
  };
  const Orientation orientations[] = {
      {1, 4, 3, [](int y, int x) { return std::pair(y, x); }},
      {2, 4, 3, [](int y, int x) { return std::pair(y, 3 - x); }},
      {3, 4, 3, [](int y, int x) { return std::pair(2 - y, 3 - x); }},
      {4, 4, 3, [](int y, int x) { return std::pair(2 - y, x); }},
      {5, 3, 4, [](int y, int x) { return std::pair(x, y); }},
      {6, 3, 4, [](int y, int x) { return std::pair(3 - x, y); }},
      {7, 3, 4, [](int y, int x) { return std::pair(3 - x, 2 - y); }},
      {8, 3, 4, [](int y, int x) { return std::pair(x, 2 - y); }},
  };
  for (const auto& o : orientations) {
    VImage pixels = ramp(3, o.stored_width, o.stored_height).copy();
    pixels.set(VIPS_META_ORIENTATION, o.tag);
    pixels.tiffsave(in("a.tif").c_str());

    const ImageInfo info = read_image_info(in("a.tif"));
    EXPECT_EQ(info.width, 4) << o.tag;
    EXPECT_EQ(info.height, 3) << o.tag;
    const Image image = read_image(in("a.tif"));
    ASSERT_EQ(image.width(), 4) << o.tag;
    ASSERT_EQ(image.height(), 3) << o.tag;
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 4; ++x) {
        const auto [stored_y, stored_x] = o.stored(y, x);
        EXPECT_NEAR(image.at(1, y, x), ramp_at(1, stored_y, stored_x), kSameSample) << o.tag;
      }
    }
    for (const char* name : {"b.tif", "b.png"}) {
      write_image(in(name), image);
      EXPECT_EQ(largest_difference(read_image(in(name)), image), 0) << o.tag;
    }
  }
}

TEST_F(Metadata, exif_orientation_is_honoured_in_jpeg_and_webp) {
  VImage pixels = ramp(3, 48, 32).cast(VIPS_FORMAT_UCHAR).copy();
  pixels.set(VIPS_META_ORIENTATION, 6);
  pixels.jpegsave(in("a.jpg").c_str());
  pixels.webpsave(in("a.webp").c_str());
  for (const char* name : {"a.jpg", "a.webp"}) {
    EXPECT_EQ(read_image_info(in(name)).height, 48) << name;
    const Image image = read_image(in(name));
    EXPECT_EQ(image.height(), 48) << name;
    EXPECT_EQ(image.width(), 32) << name;
    write_image(in(name), image);
    EXPECT_EQ(read_image(in(name)).height(), 48) << name;
  }
}

TEST_F(Metadata, alpha_is_kept_aside_and_given_back) {
  for (const int channels : {1, 3}) {
    for (const char* name : {"a.png", "a.tif", "a.webp"}) {
      for (const SampleFormat format : {SampleFormat::u8, SampleFormat::u16, SampleFormat::f32}) {
        const bool webp = name == std::string("a.webp"), png = name == std::string("a.png");
        if ((webp && format != SampleFormat::u8) || (png && format == SampleFormat::f32)) continue;
        Image image = busy_picture(channels, 9, 7);
        image.source.format = format;
        image.source.range = {0, format == SampleFormat::u8    ? 255.
                                 : format == SampleFormat::u16 ? 65535.
                                                               : 1.};
        for (int i = 0; i < 63; ++i)
          image.source.alpha.push_back(static_cast<float>(i * 4) / 255.f);
        write_image(in(name), image, {.quality = 100});
        const Image back = read_image(in(name), {.range = RangeMode::full});
        EXPECT_EQ(back.channels(), webp ? 3 : channels) << name;
        EXPECT_EQ(back.source.format, format) << name;
        EXPECT_TRUE(read_image_info(in(name)).has_alpha) << name;
        EXPECT_THAT(back.source.alpha,
                    testing::Pointwise(testing::FloatNear(kSameSample), image.source.alpha));
        // Lossless WebP forgets colours under alpha 0, so the first pixel does not count.
        for (std::size_t i = 1; i < 63; ++i) {
          EXPECT_NEAR(back.plane(0)[i], image.plane(0)[i], 0.5 / 255) << name << i;
        }
      }
    }
  }
}

TEST_F(Metadata, alpha_is_dropped_where_the_file_cannot_hold_it) {
  for (const char* name : {"a.jpg", "a.fits"}) {
    Image image = smooth_picture(3, 20, 20);
    image.source.alpha.assign(400, 0.5f);
    write_image(in(name), image);
    const Image back = read_image(in(name));
    EXPECT_TRUE(back.source.alpha.empty()) << name;
    EXPECT_GT(psnr(back, image), 40) << name;  // not blended with a background
  }
}

TEST_F(Metadata, premultiplied_alpha_is_divided_out) {
  VImage pixels = ramp(3).bandjoin_const({128});
  pixels.tiffsave(in("a.tif").c_str(), VImage::option()->set("premultiply", true));
  const Image image = read_image(in("a.tif"));
  ASSERT_EQ(image.source.alpha.size(), 12u);
  EXPECT_NEAR(image.source.alpha[5], 128 / 255., kSameSample);
  // Two roundings down, one of them doubled by the division.
  for (int x = 0; x < 4; ++x) EXPECT_NEAR(image.at(2, 1, x), ramp_at(2, 1, x), 3. / 255);
}

TEST_F(Metadata, icc_profile_is_carried_over_byte_by_byte) {
  const VImage p3 =
      ramp(3, 20, 20).icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  for (const char* from : {"a.png", "a.tif", "a.jpg", "a.webp"}) {
    p3.write_to_file(in(from).c_str());
    const Image image = read_image(in(from));
    ASSERT_GT(image.source.icc_profile.size(), 128u) << from;
    EXPECT_TRUE(read_image_info(in(from)).has_icc_profile);
    for (const char* to : {"b.png", "b.tif", "b.jpg", "b.webp"}) {
      write_image(in(to), image);
      EXPECT_EQ(read_image(in(to)).source.icc_profile, image.source.icc_profile) << from << to;
    }
    write_image(in("c.png"), image);  // pixels are not converted on the way
    EXPECT_EQ(largest_difference(read_image(in("c.png")), image), 0);
  }
}

TEST_F(Metadata, icc_profile_of_rgb_is_not_given_to_gray) {
  const VImage p3 = ramp(3).icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  p3.tiffsave(in("a.tif").c_str());
  ASSERT_NE(bytes_of(in("a.tif")).find("mntrRGB"), std::string::npos);
  write_image(in("b.tif"), to_gray(read_image(in("a.tif"))));
  EXPECT_EQ(bytes_of(in("b.tif")).find("mntrRGB"), std::string::npos);
}

/// The header of a profile, with no tags behind it. Newer libvips looks at more of it than the
/// colour space.
std::string profile_of(const char* colour_space) {
  std::string profile(200, '\0');
  profile[3] = static_cast<char>(profile.size());
  profile[8] = 2;  // version
  profile.replace(12, 4, "mntr");
  profile.replace(16, 4, colour_space);
  profile.replace(20, 4, "XYZ ");
  profile.replace(36, 4, "acsp");
  return profile;
}

TEST_F(Metadata, icc_profile_of_another_colour_space_is_not_read) {
  VImage gray = ramp(1).copy();
  std::string cmyk = profile_of("CMYK");
  gray.set(VIPS_META_ICC_NAME, static_cast<VipsCallbackFn>(nullptr), cmyk.data(), cmyk.size());
  gray.tiffsave(in("a.tif").c_str());
  if (bytes_of(in("a.tif")).find("CMYK") == std::string::npos)
    GTEST_SKIP() << "this libvips does not write such a profile in the first place";
  EXPECT_TRUE(read_image(in("a.tif")).source.icc_profile.empty());
  EXPECT_FALSE(read_image_info(in("a.tif")).has_icc_profile);
}

TEST_F(Metadata, icc_profile_of_gray_is_not_given_to_the_rgb_of_webp) {
  Image image = smooth_picture(1, 8, 8);
  const std::string gray = profile_of("GRAY");
  image.source.icc_profile.resize(gray.size());
  std::memcpy(image.source.icc_profile.data(), gray.data(), gray.size());
  write_image(in("a.tif"), image);
  EXPECT_EQ(read_image(in("a.tif")).source.icc_profile, image.source.icc_profile);
  write_image(in("a.webp"), image);
  EXPECT_EQ(bytes_of(in("a.webp")).find("GRAY"), std::string::npos);
}

TEST_F(Metadata, palette_becomes_rgb) {
  ramp(3).pngsave(in("a.png").c_str(), VImage::option()->set("palette", true)->set("dither", 0.));
  ASSERT_NE(bytes_of(in("a.png")).find("PLTE"), std::string::npos);
  const Image image = read_image(in("a.png"));
  ASSERT_EQ(image.channels(), 3);
  constexpr double kQuantised = 6. / 255;  // the palette's colours are chosen by libimagequant
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(image.at(c, 1, 2), ramp_at(c, 1, 2), kQuantised);
}

TEST_F(Metadata, one_bit_gray_becomes_black_and_white) {
  (ramp(1) > 30)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_B_W))
      .pngsave(in("a.png").c_str(), VImage::option()->set("bitdepth", 1));
  const Image image = read_image(in("a.png"));
  EXPECT_EQ(image.source.format, SampleFormat::u8);
  EXPECT_EQ(image.at(0, 0, 0), 0.f);
  EXPECT_EQ(image.at(0, 2, 3), 1.f);
}

TEST_F(Metadata, cmyk_and_lab_become_srgb_without_their_profile) {
  constexpr double kConverted = 4.5 / 255;  // there and back through 8-bit inks
  const VImage pixels =
      (ramp(3) + 60)
          .cast(VIPS_FORMAT_UCHAR)
          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  pixels.icc_transform("cmyk", VImage::option()->set("input_profile", "srgb"))
      .tiffsave(in("cmyk.tif").c_str());
  pixels.colourspace(VIPS_INTERPRETATION_LAB).tiffsave(in("lab.tif").c_str());
  for (const char* name : {"cmyk.tif", "lab.tif"}) {
    EXPECT_EQ(read_image_info(in(name)).channels, 3) << name;
    const Image image = read_image(in(name));
    ASSERT_EQ(image.channels(), 3) << name;
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(image.at(c, 1, 2), ramp_at(c, 1, 2) + 60. / 255, kConverted) << name;
    }
    write_image(in("again.tif"), image);
    EXPECT_LT(largest_difference(read_image(in("again.tif")), image), kSameSample) << name;
  }
}

TEST_F(Metadata, of_several_pages_the_first_is_read) {
  const VImage pages =
      ramp(1, 4, 3).join(ramp(1, 4, 3) + 100, VIPS_DIRECTION_VERTICAL).cast(VIPS_FORMAT_UCHAR);
  pages.tiffsave(in("a.tif").c_str(), VImage::option()->set("page_height", 3));
  const Image image = read_image(in("a.tif"));
  EXPECT_EQ(image.height(), 3);
  EXPECT_NEAR(image.at(0, 2, 3), ramp_at(0, 2, 3), kSameSample);
}

TEST_F(Metadata, signed_and_32_bit_samples_are_read_as_float) {
  for (const VipsBandFormat format : {VIPS_FORMAT_SHORT, VIPS_FORMAT_INT, VIPS_FORMAT_UINT}) {
    const double low = format == VIPS_FORMAT_UINT ? 1000 : -1000;
    ramp(1).linear(30, low).cast(format).tiffsave(in("a.tif").c_str());
    const Image image = read_image(in("a.tif"));
    EXPECT_EQ(image.source.format, SampleFormat::f32);
    EXPECT_EQ(image.source.range, (ValueRange{low, low + 30 * 55}));
    EXPECT_NEAR(image.at(0, 1, 1), 25. / 55, kSameSample);
  }
}

}  // namespace
}  // namespace unmar
