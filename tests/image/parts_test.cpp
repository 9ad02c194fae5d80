#include <limits>
#include <thread>

#include <vips/vips8>

#include "image/file_parts.h"
#include "image/metadata.h"
#include "support.h"
#include "unmar/image/pages.h"
#include "unmar/image/parts.h"
#include "unmar/image/row_writer.h"

namespace unmar {
namespace {

using namespace image_test;

constexpr int kHeight = 61, kWidth = 43;

/// Files of many kinds, with values that are no part of the picture.
class Parts : public InFolder {
 protected:
  std::filesystem::path put(const std::string& name, int channels, SampleFormat format, bool alpha,
                            bool outliers) {
    Image image = busy_picture(channels, kHeight, kWidth);
    image.source.format = format;
    image.source.range = format == SampleFormat::u8    ? ValueRange{0, 255}
                         : format == SampleFormat::u16 ? ValueRange{0, 65535}
                                                       : ValueRange{0, 1};
    if (outliers) {
      for (float& value : image.pixels()) value = 0.01f + 0.002f * value;
      for (int c = 0; c < channels; ++c) {
        image.at(c, 20, 21) = 0.9f;  // alone, at the seam of two bands
        for (int y = 30; y < 36; ++y)
          for (int x = 8; x < 14; ++x) image.at(c, y, x) = 1.f;  // a star, across another seam
      }
    }
    if (alpha) {
      image.source.alpha.assign(image.plane(0).size(), 1.f);
      for (std::size_t i = 0; i < image.source.alpha.size(); i += 7) image.source.alpha[i] = 0.f;
    }
    write_image(in(name), image);
    return in(name);
  }

  std::vector<std::filesystem::path> all_kinds() {
    return {put("a.png", 3, SampleFormat::u8, false, false),
            put("b.png", 3, SampleFormat::u16, true, true),
            put("c.tif", 1, SampleFormat::u16, false, true),
            put("d.tif", 3, SampleFormat::f32, true, true),
            put("e.tif", 5, SampleFormat::u16, false, true),
            put("f.fits", 1, SampleFormat::f32, false, true),
            put("g.jpg", 3, SampleFormat::u8, false, false)};
  }

  static void expect_same(const Image& part, const Image& expected, const std::string& what) {
    ASSERT_TRUE(part.same_size(expected)) << what;
    EXPECT_TRUE(std::ranges::equal(part.pixels(), expected.pixels())) << what;
    EXPECT_EQ(part.source.range, expected.source.range) << what;
    EXPECT_EQ(part.source.channel_ranges, expected.source.channel_ranges) << what;
    EXPECT_EQ(part.source.alpha, expected.source.alpha) << what;
    EXPECT_EQ(part.source.stored != nullptr, expected.source.stored != nullptr) << what;
    if (part.source.stored) {
      const auto same = [](double a, double b) { return a == b || (a != a && b != b); };  // NaN
      EXPECT_TRUE(std::ranges::equal(*part.source.stored, *expected.source.stored, same)) << what;
    }
    for (std::size_t i = 0; i < part.count(); ++i)
      ASSERT_EQ(use(part, i), use(expected, i)) << what << " " << i;
  }
  static SampleUse use(const Image& image, std::size_t i) {
    return image.source.use ? (*image.source.use)[i] : SampleUse::used;
  }

  /// All that a file tells beside its pixels.
  static std::string told(const std::filesystem::path& path) {
    const SharedMetadata metadata = read_image(path).source.metadata;
    if (!metadata) return {};
    std::string text = metadata->xmp + metadata->photoshop;
    for (const image::Tag& tag : metadata->tags) text += std::to_string(tag.id) + tag.bytes;
    for (const auto& [keyword, value] : metadata->texts) text += keyword + value;
    for (const std::string& card : metadata->cards) text += card;
    return text;
  }

  std::unique_ptr<PictureParts> open(const std::filesystem::path& path, double in_memory,
                                     const PictureParts* known = nullptr) {
    return image::open_file(path, {.max_missing = 0.5}, 1e3, known,
                            {.folder = folder(), .most_in_memory = in_memory, .most_rows = 16});
  }
};

constexpr Rect kSome[] = {{0, 0, kHeight, kWidth}, {0, 0, 1, 1}, {17, 5, 30, 33}, {60, 42, 1, 1}};

TEST_F(Parts, AreThoseOfTheWholeWhereverItIsHeld) {
  for (const auto& path : all_kinds()) {
    const Image whole = read_image(path);
    for (const double in_memory : {0., 1e9}) {
      const auto parts = open(path, in_memory);
      for (const Rect& r : kSome)
        expect_same(parts->part(r), crop(whole, r.y, r.x, r.height, r.width), path.string());
    }
  }
}

TEST_F(Parts, LeaveOutWhatAMaskDiscards) {
  Image known(1, kHeight, kWidth, 1.f);
  for (int y = 10; y < 40; ++y) known.at(0, y, 9) = 0.f;
  const auto known_parts = parts_of(known);
  for (const auto& path : all_kinds()) {
    const Image whole = read_image(path, {.max_missing = 0.5}, &known);
    const auto parts = open(path, 0, known_parts.get());
    for (const Rect& r : kSome)
      expect_same(parts->part(r), crop(whole, r.y, r.x, r.height, r.width), path.string());
  }
}

TEST_F(Parts, OfARegionAreThoseOfTheWhole) {
  const Rect region{5, 7, 40, 30};
  for (const auto& path : all_kinds()) {
    const Image part = read_image(path, {.region = region});
    expect_same(part, crop(read_image(path), 5, 7, 40, 30), path.string());
  }
}

TEST_F(Parts, KnowMissingValuesAndRefuseTooMany) {
  Image image = busy_picture(1, kHeight, kWidth);
  image.source.format = SampleFormat::f32;
  image.source.range = {0, 1};
  const auto write_with_nan = [&](std::size_t step) {
    std::vector<float> values(image.pixels().begin(), image.pixels().end());
    for (std::size_t i = 0; i < values.size(); i += step)
      values[i] = std::numeric_limits<float>::quiet_NaN();
    vips::VImage::new_from_memory(values.data(), values.size() * sizeof(float), kWidth, kHeight, 1,
                                  VIPS_FORMAT_FLOAT)
        .tiffsave(in("nan.tif").c_str());
    return in("nan.tif");
  };
  const auto path = write_with_nan(9);
  const Image whole = read_image(path, {.max_missing = 0.5});
  expect_same(open(path, 0)->part(kSome[2]), crop(whole, 17, 5, 30, 33), "nan");
  EXPECT_EQ(use(open(path, 0)->part(kSome[0]), 9), SampleUse::missing);
  expect_error(ErrorCode::bad_input, {"nan.tif", "NaN"}, [&] { open(write_with_nan(1), 0); });
}

TEST_F(Parts, AreUprightWhateverTheFileSays) {
  const Image image = busy_picture(3, kHeight, kWidth);
  for (const int orientation : {1, 3, 6, 8}) {
    std::vector<unsigned char> bytes(image.count());
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<unsigned char>(std::lround(255 * image.pixels()[i]));
    vips::VImage pixels = vips::VImage::new_from_memory(bytes.data(), bytes.size(), kWidth, kHeight,
                                                        3, VIPS_FORMAT_UCHAR)
                              .copy();
    pixels.set(VIPS_META_ORIENTATION, orientation);
    pixels.tiffsave(in("turned.tif").c_str());
    const Image whole = read_image(in("turned.tif"));
    const auto parts = open(in("turned.tif"), 0);
    ASSERT_EQ(parts->width(), whole.width());
    expect_same(parts->part({3, 2, 30, 20}), crop(whole, 3, 2, 30, 20), "turned");
  }
}

TEST_F(Parts, MayBeLookedAtByManyThreads) {
  const auto path = put("c.tif", 3, SampleFormat::u16, false, true);
  const Image whole = read_image(path);
  const auto parts = open(path, 0);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int y = 0; y < 40; ++y)
        expect_same(parts->part({y, t, 20, 30}), crop(whole, y, t, 20, 30), "threads");
    });
}

TEST_F(Parts, WrittenByRowsAreTheFileThatIsWrittenAtOnce) {
  for (const auto& path : all_kinds()) {
    for (const char* type : {".png", ".tif", ".fits", ".jpg", ".webp"}) {
      Image whole = read_image(path);
      whole.source.metadata = with_provenance(whole.source.metadata, "made by a test");
      if (whole.channels() == 5 && type != std::string(".tif") && type != std::string(".fits"))
        continue;
      const auto once = in(std::string("once") + type), rows = in(std::string("rows") + type);
      write_image(once, whole);
      RowWriter writer(rows,
                       {.channels = whole.channels(),
                        .height = kHeight,
                        .width = kWidth,
                        .with_alpha = !whole.source.alpha.empty()},
                       whole.source, folder(), path);
      for (int y = 0; y < kHeight; y += 13)
        writer.write(crop(whole, y, 0, std::min(13, kHeight - y), kWidth));
      EXPECT_FALSE(std::filesystem::exists(rows));
      writer.finish();
      const std::string what = path.string() + type;
      expect_same(read_image(rows), read_image(once), what);
      EXPECT_EQ(told(rows), told(once)) << what;
      EXPECT_NE(told(rows).find("made by a test"), std::string::npos) << what;
      std::filesystem::remove(rows);
    }
  }
}

TEST_F(Parts, ARowWriterRefusesWhatItCannotHold) {
  const ImageSource source;
  expect_error(ErrorCode::bad_argument, {"webp", "16383"}, [&] {
    RowWriter(in("a.webp"), {.channels = 3, .height = 20000, .width = 5, .with_alpha = false},
              source, folder(), {});
  });
  RowWriter writer(in("a.png"), {.channels = 1, .height = 1, .width = 2, .with_alpha = false},
                   source, folder(), {});
  Image bad(1, 1, 2);
  bad.at(0, 0, 1) = std::numeric_limits<float>::quiet_NaN();
  expect_error(ErrorCode::numeric, {"NaN"}, [&] { writer.write(bad); });
}

}  // namespace
}  // namespace unmar
