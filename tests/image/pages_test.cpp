#include <zlib.h>

#include <functional>

#include <vips/vips8>

#include "support.h"
#include "unmar/image/pages.h"

namespace unmar {
namespace {

using namespace image_test;
using vips::VImage;

class Pages : public InFolder {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(VIPS_INIT("unmar test"), 0); }

  /// Gray, 6x4 px; page p is p * 1000 + x.
  static VImage stack(int pages, VipsBandFormat format) {
    std::vector<VImage> all;
    for (int p = 0; p < pages; ++p)
      all.push_back(VImage::xyz(6, 4).extract_band(0) +
                    p * (format == VIPS_FORMAT_UCHAR ? 20 : 1000));
    VImage image = VImage::arrayjoin(all, VImage::option()->set("across", 1)).cast(format).copy();
    image.set("page-height", 4);
    return image;
  }

  std::vector<Image> read_all(const std::string& name) const {
    std::vector<Image> pages;
    for (int page = 1; page <= count_pages(in(name)); ++page)
      pages.push_back(read_image(in(name), {.page = page, .range = RangeMode::full}));
    return pages;
  }

  void expect_same_pages(const std::string& a, const std::string& b) const {
    const auto x = read_all(a), y = read_all(b);
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(x[i].source.format, y[i].source.format) << i;
      EXPECT_EQ(largest_difference(x[i], y[i]), 0) << i;
    }
  }
};

TEST_F(Pages, OfAStackEachIsReadAndWrittenBack) {
  for (const VipsBandFormat format : {VIPS_FORMAT_UCHAR, VIPS_FORMAT_USHORT, VIPS_FORMAT_FLOAT}) {
    VImage image = stack(5, format);
    image.set("image-description", "ImageJ=1.53k\nimages=5\nslices=5\nunit=micron\n");
    image.tiffsave(in("a.tif").c_str());
    ASSERT_EQ(count_pages(in("a.tif")), 5);
    EXPECT_EQ(list_pages(in("a.tif")).at(4).image.width, 6);
    const auto pages = read_all("a.tif");
    EXPECT_NE(pages[0].at(0, 0, 0), pages[4].at(0, 0, 0));
    write_pages(in("b.tif"), pages, in("a.tif"));
    expect_same_pages("a.tif", "b.tif");
    EXPECT_EQ(VImage::tiffload(in("b.tif").c_str()).get_string("image-description"),
              std::string("ImageJ=1.53k\nimages=5\nslices=5\nunit=micron\n"));
  }
}

/// As ImageJ writes what is above 4 GB: one directory, then all pixels in a row. 16 bit, 6x4 px,
/// big-endian; page p is p * 1000 + x.
std::string raw_stack(int told, int pages) {
  const std::string text = "ImageJ=1.54f\nimages=" + std::to_string(told) +
                           "\nslices=" + std::to_string(told) + "\n" + std::string(1, '\0');
  std::string file("MM\0\x2a\0\0\0\x08", 8);
  const auto put = [&](std::uint32_t value, int size) {
    for (int i = size - 1; i >= 0; --i) file += static_cast<char>(value >> 8 * i & 0xff);
  };
  struct Entry {
    std::uint32_t tag, type, count, value;
  };
  constexpr std::uint32_t kShort = 3, kLong = 4, kText = 2, kEntries = 10;
  constexpr std::uint32_t kTextAt = 8 + 2 + kEntries * 12 + 4;
  const auto length = static_cast<std::uint32_t>(text.size());
  put(kEntries, 2);
  for (const Entry& e : {Entry{256, kLong, 1, 6},
                         {257, kLong, 1, 4},
                         {258, kShort, 1, 16},
                         {259, kShort, 1, 1},
                         {262, kShort, 1, 1},
                         {270, kText, length, kTextAt},
                         {273, kLong, 1, kTextAt + length},
                         {277, kShort, 1, 1},
                         {278, kLong, 1, 4},
                         {279, kLong, 1, 6 * 4 * 2}}) {
    put(e.tag, 2);
    put(e.type, 2);
    put(e.count, 4);
    if (e.type == kShort) {
      put(e.value, 2);
      put(0, 2);
    } else {
      put(e.value, 4);
    }
  }
  put(0, 4);
  file += text;
  for (int i = 0; i < pages * 24; ++i) put(static_cast<std::uint32_t>(i / 24 * 1000 + i % 6), 2);
  return file;
}

TEST_F(Pages, OfAStackWithOneDirectoryAllAreReadAndWritten) {
  put_bytes(in("a.tif"), raw_stack(5, 5));
  ASSERT_EQ(count_pages(in("a.tif")), 5);
  EXPECT_EQ(list_pages(in("a.tif")).at(4).image.width, 6);
  const auto pages = read_all("a.tif");
  for (int p = 0; p < 5; ++p)
    for (int x = 0; x < 6; ++x)
      EXPECT_NEAR(pages[static_cast<std::size_t>(p)].at(0, 3, x) * 65535, p * 1000 + x, 0.01);
  EXPECT_EQ(pages[4].source.format, SampleFormat::u16);
  write_pages(in("b.tif"), pages, in("a.tif"));
  expect_same_pages("a.tif", "b.tif");
  EXPECT_EQ(VImage::tiffload(in("b.tif").c_str()).get_string("image-description"),
            std::string("ImageJ=1.54f\nimages=5\nslices=5\n"));
  EXPECT_THROW(read_image(in("a.tif"), {.page = 6}), Error);
}

TEST_F(Pages, ThatADescriptionAlonePromisesAreNone) {
  put_bytes(in("a.tif"), raw_stack(5, 1));
  EXPECT_EQ(count_pages(in("a.tif")), 1);
  put_bytes(in("a.tif"), raw_stack(5, 4));
  EXPECT_EQ(count_pages(in("a.tif")), 1);
  put_bytes(in("a.tif"), raw_stack(2'000'000'000, 1));
  EXPECT_EQ(count_pages(in("a.tif")), 1);
}

TEST_F(Pages, OfFitsThatAreCompressedAreNotPassedOver) {
  const auto header = [](const std::vector<std::string>& cards) {
    std::string text;
    for (std::string one : cards) {
      one.resize(80, ' ');
      text += one;
    }
    text += "END";
    text.resize(2880, ' ');
    return text;
  };
  const std::string first =
      header({"SIMPLE  =                    T", "BITPIX  =                    8",
              "NAXIS   =                    0"});
  const std::string packed = header(
      {"XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    2",
       "NAXIS1  =                    8", "NAXIS2  =                    0",
       "PCOUNT  =                    0", "ZIMAGE  =                    T"});
  put_bytes(in("a.fits"), first + packed + packed);
  for (const auto& read : {std::function<void()>([&] { read_image(in("a.fits")); }),
                           std::function<void()>([&] { list_pages(in("a.fits")); })})
    expect_error(ErrorCode::bad_input, {"2 compressed images", "funpack"}, read);
  put_bytes(in("a.fits"), first + packed);
  EXPECT_EQ(count_pages(in("a.fits")), 1);
}

TEST_F(Pages, OfAnAnimatedPngThatAreNotReadAreSaid) {
  write_image(in("a.png"), busy_picture(3, 8, 8));
  EXPECT_EQ(read_image(in("a.png")).source.warning, "");
  std::string file = bytes_of(in("a.png"));
  std::string control(
      "\0\0\0\x08"
      "acTL"
      "\0\0\0\x03\0\0\0\0",
      16);
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(control.data()) + 4, 12);
  for (int shift = 24; shift >= 0; shift -= 8) control += static_cast<char>(crc >> shift & 0xff);
  file.insert(33, control);  // behind IHDR
  put_bytes(in("a.png"), file);
  EXPECT_THAT(read_image(in("a.png")).source.warning,
              testing::AllOf(testing::HasSubstr("holds 3 pictures"), testing::HasSubstr("`page`")));
}

TEST_F(Pages, OfSomeTheNumberIsAdapted) {
  VImage image = stack(5, VIPS_FORMAT_USHORT);
  image.set("image-description",
            "ImageJ=1.53k\nimages=5\nchannels=5\nhyperstack=true\nunit=micron\n");
  image.tiffsave(in("a.tif").c_str());
  write_pages(in("b.tif"),
              {read_image(in("a.tif"), {.page = 2}), read_image(in("a.tif"), {.page = 4})},
              in("a.tif"));
  EXPECT_EQ(VImage::tiffload(in("b.tif").c_str()).get_string("image-description"),
            std::string("ImageJ=1.53k\nimages=2\nunit=micron\nslices=2\n"));
  EXPECT_EQ(count_pages(in("b.tif")), 2);
  image.set("image-description",
            "<OME><Pixels SizeZ=\"5\" SizeC=\"1\" PhysicalSizeX=\"0.1\"><TiffData IFD=\"0\"><UUID/>"
            "</TiffData><TiffData IFD=\"1\"/></Pixels></OME>");
  image.tiffsave(in("a.tif").c_str());
  Image one = read_image(in("a.tif"), {.page = 1});
  one.source.metadata = for_pages(one.source.metadata, 1);
  write_image(in("b.tif"), one);
  EXPECT_EQ(VImage::tiffload(in("b.tif").c_str()).get_string("image-description"),
            std::string("<OME><Pixels SizeZ=\"1\" SizeC=\"1\" PhysicalSizeX=\"0.1\"><TiffData/>"
                        "</Pixels></OME>"));
}

TEST_F(Pages, MayDifferInSizeAndDepth) {
  Image small = smooth_picture(1, 5, 7), large = busy_picture(3, 30, 20);
  small.source.format = SampleFormat::f32;
  small.source.range = {0, 1};
  stack(2, VIPS_FORMAT_UCHAR).tiffsave(in("like.tif").c_str());
  write_pages(in("a.tif"), {small, large}, in("like.tif"));
  const auto pages = list_pages(in("a.tif"));
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].image.format, SampleFormat::f32);
  EXPECT_EQ(pages[1].image.channels, 3);
  EXPECT_EQ(largest_difference(read_image(in("a.tif"), {.page = 2}), large), 0);
}

TEST_F(Pages, OfAnAnimationTheTimesStay) {
  VImage frames = stack(3, VIPS_FORMAT_UCHAR).copy();
  frames.set("delay", std::vector<int>{100, 250, 70});
  frames.set("loop", 4);
  frames.webpsave(in("a.webp").c_str(), VImage::option()->set("lossless", true));
  const auto pages = list_pages(in("a.webp"));
  ASSERT_EQ(pages.size(), 3u);
  EXPECT_EQ(pages[1].milliseconds, 250);
  write_pages(in("b.webp"), read_all("a.webp"), in("a.webp"), {.quality = 100});
  expect_same_pages("a.webp", "b.webp");
  const VImage back = VImage::webpload(in("b.webp").c_str(), VImage::option()->set("n", -1));
  EXPECT_EQ(back.get_array_int("delay"), (std::vector<int>{100, 250, 70}));
  EXPECT_EQ(back.get_int("loop"), 4);
}

TEST_F(Pages, ReducedCopiesAndMasksAreNone) {
  for (const int kind : {1, 4}) {
    VImage image = stack(2, VIPS_FORMAT_UCHAR);
    image.tiffsave(in("a.tif").c_str());
    std::string bytes = bytes_of(in("a.tif"));
    // libvips writes NewSubfileType into every page of several: 2, a page.
    const std::size_t last = bytes.rfind(std::string("\xfe\x00\x04\x00\x01\x00\x00\x00", 8));
    ASSERT_NE(last, bytes.npos);
    bytes[last + 8] = static_cast<char>(kind);
    put_bytes(in("a.tif"), bytes);
    EXPECT_EQ(count_pages(in("a.tif")), 1) << kind;
  }
}

/// A FITS file: a header without data, a picture, a table, another picture.
std::string extensions() {
  const auto block = [](std::vector<std::string> cards) {
    std::string header;
    cards.emplace_back("END");
    for (std::string& card : cards) {
      card.resize(80, ' ');
      header += card;
    }
    header.resize(2880, ' ');
    return header;
  };
  const auto data = [](std::string bytes) {
    bytes.resize(2880, '\0');
    return bytes;
  };
  return block({"SIMPLE  =                    T", "BITPIX  =                    8",
                "NAXIS   =                    0", "OBJECT  = 'M31'"}) +
         block({"XTENSION= 'IMAGE   '", "BITPIX  =                   16",
                "NAXIS   =                    2", "NAXIS1  =                    2",
                "NAXIS2  =                    2", "PCOUNT  =                    0",
                "GCOUNT  =                    1", "BZERO   =                32768",
                "EXTNAME = 'SCI     '"}) +
         data(std::string("\x80\0\x80\1\x7f\xff\0\0", 8)) +
         block({"XTENSION= 'BINTABLE'", "BITPIX  =                    8",
                "NAXIS   =                    2", "NAXIS1  =                    4",
                "NAXIS2  =                    1", "PCOUNT  =                    0",
                "GCOUNT  =                    1", "TFIELDS =                    1",
                "TFORM1  = 'J       '", "EXTNAME = 'CATALOG '"}) +
         data("abcd") +
         block({"XTENSION= 'IMAGE   '", "BITPIX  =                  -32",
                "NAXIS   =                    2", "NAXIS1  =                    2",
                "NAXIS2  =                    1", "PCOUNT  =                    0",
                "GCOUNT  =                    1", "EXTNAME = 'ERR     '"}) +
         data(std::string("\x3f\x80\0\0\x40\x00\0\0", 8));
}

TEST_F(Pages, OfFitsAreItsImages) {
  put_bytes(in("a.fits"), extensions());
  const auto pages = list_pages(in("a.fits"));
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].name, "SCI");
  EXPECT_EQ(pages[1].name, "ERR");
  const Image sci = read_image(in("a.fits"), {.page = 1, .range = RangeMode::full});
  EXPECT_EQ(sci.source.format, SampleFormat::u16);
  EXPECT_NEAR(sci.at(0, 1, 1) * 65535, 1, 0.01);
  EXPECT_NEAR(sci.at(0, 0, 1) * 65535, 32768, 0.01);
  const Image err = read_image(in("a.fits"), {.page = 2, .range = RangeMode::full});
  EXPECT_THAT(err.pixels(), testing::ElementsAre(1.f, 2.f));

  write_pages(in("b.fits"), read_all("a.fits"), in("a.fits"));
  expect_same_pages("a.fits", "b.fits");
  const std::string a = bytes_of(in("a.fits")), b = bytes_of(in("b.fits"));
  EXPECT_EQ(b.size(), a.size());
  EXPECT_EQ(b.substr(0, 2880), a.substr(0, 2880));                        // the first header
  EXPECT_EQ(b.substr(3 * 2880, 2 * 2880), a.substr(3 * 2880, 2 * 2880));  // the table
  EXPECT_NE(b.find("EXTNAME = 'ERR     '"), b.npos);
  write_pages(in("c.fits"), {err, sci, sci}, in("a.fits"));
  EXPECT_EQ(count_pages(in("c.fits")), 3);
  EXPECT_THAT(read_image(in("c.fits"), {.range = RangeMode::full}).pixels(),
              testing::ElementsAre(1.f, 2.f));
}

TEST_F(Pages, OfAFitsFileThatGzipPackedAreListedToo) {
  const std::string bytes = extensions();
  put_bytes(in("a.fits"), bytes);
  gzFile packed = gzopen(in("p.fits.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(packed, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(packed), Z_OK);
  ASSERT_EQ(count_pages(in("p.fits.gz")), 2);
  expect_same_pages("a.fits", "p.fits.gz");
  write_pages(in("b.fits"), read_all("p.fits.gz"), in("p.fits.gz"));
  expect_same_pages("a.fits", "b.fits");
}

TEST_F(Pages, AnImageOfFitsAloneTakesTheFirstHeaderAlong) {
  put_bytes(in("a.fits"), extensions());
  const Image err = read_image(in("a.fits"), {.page = 2});
  write_image(in("b.fits"), err);
  const std::string b = bytes_of(in("b.fits"));
  EXPECT_NE(b.find("OBJECT  = 'M31'"), b.npos);
  EXPECT_NE(b.find("EXTNAME = 'ERR     '"), b.npos);
  EXPECT_EQ(b.size(), 2u * 2880);
  // In its old place it does not repeat what stands before it.
  write_pages(in("c.fits"), read_all("a.fits"), in("a.fits"));
  const std::string c = bytes_of(in("c.fits"));
  EXPECT_EQ(c.find("OBJECT", c.find("OBJECT") + 1), c.npos);
  write_pages(in("d.fits"), read_all("a.fits"), in("a.fits"), {.strip = true});
  EXPECT_EQ(bytes_of(in("d.fits")).find("OBJECT"), std::string::npos);
  EXPECT_EQ(count_pages(in("d.fits")), 2);
}

TEST_F(Pages, TablesStayBesideTheOnlyImage) {
  const std::string all = extensions();
  put_bytes(in("a.fits"), all.substr(0, 5 * 2880));  // without the second image
  ASSERT_EQ(count_pages(in("a.fits")), 1);
  write_pages(in("b.fits"), read_all("a.fits"), in("a.fits"));
  const std::string b = bytes_of(in("b.fits"));
  EXPECT_EQ(b.substr(3 * 2880), all.substr(3 * 2880, 2 * 2880));
  write_pages(in("b.png"), read_all("a.fits"), in("a.fits"));
  EXPECT_EQ(read_image(in("b.png")).width(), 2);
  // A file that is gone by then costs what stood beside the pictures, not them.
  for (const char* name : {"c.fits", "c.tif", "c.webp"}) {
    write_pages(in(name), {smooth_picture(1, 4, 4), busy_picture(1, 4, 4)}, in("gone.fits"));
    EXPECT_EQ(count_pages(in(name)), 2) << name;
  }
}

TEST_F(Pages, OfDamagedFitsHeadersTheReadingEnds) {
  const std::string good = extensions();
  for (const std::string& number :
       {std::string("9223372036854775807"), std::string("-5"), std::string("4611686018427387904")})
    for (const char* key : {"PCOUNT  = ", "NAXIS1  = ", "BITPIX  = ", "NAXIS   = "}) {
      std::string bad = good;
      for (std::size_t at = 0; (at = bad.find(key, at)) != bad.npos; at += 80)
        bad.replace(at + 10, 20, std::string(20 - number.size(), ' ') + number);
      put_bytes(in("a.fits"), bad);
      EXPECT_GE(count_pages(in("a.fits")), 1) << key << number;
    }
}

TEST_F(Pages, ThatAreNotThereOrCannotBeHeldAreErrors) {
  stack(2, VIPS_FORMAT_UCHAR).tiffsave(in("a.tif").c_str());
  expect_error(ErrorCode::bad_argument, {"a.tif' has 2 pages, there is no page 3"},
               [&] { read_image(in("a.tif"), {.page = 3}); });
  write_image(in("a.png"), smooth_picture(1, 4, 4));
  expect_error(ErrorCode::bad_argument, {"has one page, there is no page 2"},
               [&] { read_image(in("a.png"), {.page = 2}); });
  expect_error(ErrorCode::bad_argument, {"b.png", "use .tif"},
               [&] { write_pages(in("b.png"), read_all("a.tif"), in("a.tif")); });
  expect_error(ErrorCode::bad_argument, {"one size", "4x4 and 5x5"}, [&] {
    write_pages(in("b.webp"), {smooth_picture(1, 4, 4), smooth_picture(1, 5, 5)}, in("a.tif"));
  });
}

}  // namespace
}  // namespace unmar
