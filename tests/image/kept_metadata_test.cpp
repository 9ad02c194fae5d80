#include <cstring>
#include <vips/vips8>

#include "image/containers.h"
#include "image/tags.h"
#include "support.h"

namespace unmar {
namespace {

using namespace image_test;
using vips::VImage;

constexpr const char* kDate = "1999:01:02 03:04:05";
constexpr const char* kCopyright = "(c) Archive 7";
constexpr const char* kXmpText =
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf tiff:Orientation=\"6\" tiff:XResolution=\"300/1\" "
    "Iptc4xmp:Location=\"shelf 3\"/></x:xmpmeta>";

void set_bytes(VImage& image, const char* field, const std::string& bytes) {
  void* copy = g_malloc(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  image.set(field, reinterpret_cast<VipsCallbackFn>(&vips_area_free_cb), copy, bytes.size());
}

std::string blob_of(const VImage& image, const char* field) {
  if (image.get_typeof(field) == 0) return "none";
  std::size_t size = 0;
  const void* data = image.get_blob(field, &size);
  return {static_cast<const char*>(data), size};
}

std::string text_of(const VImage& image, const char* field) {
  if (image.get_typeof(field) == 0) return "none";
  return image.get_string(field);
}

VImage load(const std::filesystem::path& path) { return VImage::new_from_file(path.c_str()); }

/// IPTC's record "City: Taipei" among Photoshop's resources, after one of the resolution.
std::string photoshop_with_city() {
  using namespace std::string_literals;
  const std::string iptc = "\x1c\x02\x5a\0\x06Taipei"s;
  return "Photoshop 3.0\0"s + "8BIM\x03\xed\0\0\0\0\0\x04old!"s + "8BIM\x04\x04\0\0\0\0\0\x0b"s +
         iptc + "\0"s;
}

/// A picture with everything that files can tell, as far as libvips writes it into each type.
class KeptMetadata : public InFolder {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(VIPS_INIT("unmar test"), 0); }

  static VImage told(double dpi = 300, double dpi_down = 300) {
    VImage image = VImage::black(24, 16, VImage::option()->set("bands", 3))
                       .linear(1, 77)
                       .cast(VIPS_FORMAT_UCHAR)
                       .copy(VImage::option()
                                 ->set("interpretation", VIPS_INTERPRETATION_sRGB)
                                 ->set("xres", dpi / 25.4)
                                 ->set("yres", dpi_down / 25.4));
    image.set("resolution-unit", "in");
    VipsBlob* jpeg = image.jpegsave_buffer();  // with the EXIF that PNG and WebP then take over
    image = VImage::new_from_buffer(std::string(static_cast<const char*>(VIPS_AREA(jpeg)->data),
                                                VIPS_AREA(jpeg)->length),
                                    "")
                .copy_memory();
    vips_area_unref(VIPS_AREA(jpeg));
    image.set("exif-ifd0-DateTime",
              (std::string(kDate) + " (x, ASCII, 20 components, 20 bytes)").c_str());
    image.set("exif-ifd0-Copyright",
              (std::string(kCopyright) + " (x, ASCII, 14 components, 14 bytes)").c_str());
    image.set("exif-ifd2-ExposureTime", "1/250 (x, Rational, 1 components, 8 bytes)");
    image.set("exif-ifd3-GPSLatitudeRef", "N (x, ASCII, 2 components, 2 bytes)");
    image.set("png-comment-0-Title", "Plate 7");
    image.set("png-comment-1-Ort", "T\xc3\xa4pei");
    image.set("image-description", "shelf 3");
    set_bytes(image, "xmp-data", kXmpText);
    set_bytes(image, "iptc-data", photoshop_with_city());
    return image;
  }

  /// Read and written by unmar, and read again by libvips.
  VImage through(const std::string& from, const std::string& to) const {
    write_image(in(to), read_image(in(from)));
    return load(in(to));
  }
};

TEST_F(KeptMetadata, EachTypeKeepsWhatItHeld) {
  for (const std::string type : {"jpg", "png", "webp"}) {
    told().write_to_file(in("a." + type).c_str());
    const VImage b = through("a." + type, "b." + type);
    EXPECT_THAT(text_of(b, "exif-ifd0-DateTime"), testing::StartsWith(kDate)) << type;
    EXPECT_THAT(text_of(b, "exif-ifd0-Copyright"), testing::StartsWith(kCopyright)) << type;
    EXPECT_THAT(text_of(b, "exif-ifd2-ExposureTime"), testing::StartsWith("1/250")) << type;
    EXPECT_THAT(text_of(b, "exif-ifd3-GPSLatitudeRef"), testing::StartsWith("N")) << type;
    EXPECT_THAT(blob_of(b, "xmp-data"), testing::HasSubstr("shelf 3")) << type;
    EXPECT_THAT(blob_of(b, "xmp-data"), testing::HasSubstr("tiff:Orientation=\"1\"")) << type;
    if (type != "webp") {
      EXPECT_NEAR(b.xres(), 300 / 25.4, 1e-3) << type;
    }
    if (type == "jpg") {
      EXPECT_THAT(blob_of(b, "iptc-data"), testing::HasSubstr("Taipei"));
    }
    if (type == "jpg") {
      EXPECT_THAT(blob_of(b, "iptc-data"), testing::Not(testing::HasSubstr("old!")));
    }
    if (type == "png") {
      EXPECT_EQ(text_of(b, "png-comment-0-Title"), "Plate 7");
    }
    if (type == "png") {
      EXPECT_EQ(text_of(b, "png-comment-1-Ort"), "T\xc3\xa4pei");
    }
  }
}

TEST_F(KeptMetadata, EveryTypeTellsOtherTypes) {
  for (const std::string from : {"jpg", "png", "webp"}) {
    told().write_to_file(in("a." + from).c_str());
    for (const std::string to : {"jpg", "png", "webp", "tif"}) {
      write_image(in("b." + to), read_image(in("a." + from)));
      write_image(in("c." + from), read_image(in("b." + to)));
      for (const std::string& file : {"b." + to, "c." + from}) {
        SCOPED_TRACE(from + " " + file);
        const std::string bytes = bytes_of(in(file));
        EXPECT_NE(bytes.find(kDate), bytes.npos);
        EXPECT_NE(bytes.find(kCopyright), bytes.npos);
        EXPECT_THAT(blob_of(load(in(file)), "xmp-data"), testing::HasSubstr("shelf 3"));
      }
      if (from != "webp") {
        EXPECT_NEAR(load(in("c." + from)).xres(), 300 / 25.4, 1e-3) << from << to;
      }
    }
  }
}

TEST_F(KeptMetadata, WhatThePngSaysOfItsLightIsKept) {
  using namespace std::string_literals;
  // Linear light; primaries of sRGB. The chunks have their checksums.
  const std::string chunks =
      "\0\0\0\x04gAMA\0\x01\x86\xa0\x31\xe8\x96\x5f"s + "\0\0\0\x01sRGB\0\xae\xce\x1c\xe9"s;
  write_image(in("a.png"), busy_picture(3, 4, 5));
  std::string file = bytes_of(in("a.png"));
  file.insert(33, chunks);  // behind IHDR
  put_bytes(in("a.png"), file);
  write_image(in("b.png"), read_image(in("a.png")));
  EXPECT_EQ(image::png_colour_chunks(bytes_of(in("b.png"))), chunks);
  EXPECT_EQ(largest_difference(read_image(in("a.png")), read_image(in("b.png"))), 0);
  write_image(in("c.png"), busy_picture(3, 4, 5));
  EXPECT_EQ(image::png_colour_chunks(bytes_of(in("c.png"))), "");
}

TEST_F(KeptMetadata, ResolutionIsKeptToTheDigit) {
  for (const int dpi : {72, 96, 150, 300, 400, 600, 1200, 2400})
    for (const std::string type : {"jpg", "png", "tif"}) {
      told(dpi, dpi / 2).write_to_file(in("a." + type).c_str());
      const VImage a = load(in("a." + type)), b = through("a." + type, "b." + type);
      EXPECT_DOUBLE_EQ(b.xres(), a.xres()) << type << dpi;
      EXPECT_DOUBLE_EQ(b.yres(), a.yres()) << type << dpi;
      if (type == "jpg") {
        EXPECT_EQ(text_of(b, "resolution-unit"), "in");
      }
    }
}

TEST_F(KeptMetadata, WithoutAResolutionNoneIsMadeUp) {
  const Image plain(3, 8, 8, 0.5f);
  for (const char* name : {"a.png", "a.tif", "a.jpg", "a.webp"}) {
    write_image(in(name), plain);
    const std::string bytes = bytes_of(in(name));
    EXPECT_EQ(bytes.find("pHYs"), bytes.npos) << name;
    EXPECT_EQ(bytes.find("Exif"), bytes.npos) << name;
    EXPECT_EQ(bytes.find("EXIF"), bytes.npos) << name;
    EXPECT_EQ(bytes.find(std::string("\x1a\x01\x05", 3)), bytes.npos) << name;  // XResolution
  }
  const std::string jpeg = bytes_of(in("a.jpg"));
  const std::size_t jfif = jpeg.find("JFIF");
  ASSERT_NE(jfif, jpeg.npos);
  EXPECT_EQ(jpeg[jfif + 7], '\0') << "its unit must be none";
}

TEST_F(KeptMetadata, OfATurnedPictureTheResolutionIsTurned) {
  for (const std::string type : {"jpg", "tif"}) {
    VImage image = told(200, 400);
    image.set(VIPS_META_ORIENTATION, 6);
    image.write_to_file(in("a." + type).c_str());
    const VImage b = through("a." + type, "b." + type);
    EXPECT_EQ(b.width(), 16) << type;
    EXPECT_NEAR(b.xres(), 400 / 25.4, 1e-3) << type;
    EXPECT_NEAR(b.yres(), 200 / 25.4, 1e-3) << type;
    if (b.get_typeof(VIPS_META_ORIENTATION) != 0) {
      EXPECT_EQ(b.get_int(VIPS_META_ORIENTATION), 1);
    }
    EXPECT_EQ(bytes_of(in("b." + type)).find("tiff:Orientation=\"6\""), std::string::npos);
  }
}

TEST_F(KeptMetadata, StripLeavesAllOut) {
  for (const std::string type : {"jpg", "png", "webp", "tif"}) {
    told().write_to_file(in("a." + type).c_str());
    Image image = read_image(in("a." + type));
    image.source.metadata = with_provenance(image.source.metadata, "Unmar test");
    write_image(in("b." + type), image, {.strip = true});
    const std::string bytes = bytes_of(in("b." + type));
    for (const char* word : {kDate, kCopyright, "shelf 3", "Plate 7", "Taipei", "Unmar"})
      EXPECT_EQ(bytes.find(word), bytes.npos) << type << word;
    EXPECT_EQ(bytes.find("pHYs"), bytes.npos) << type;
  }
}

TEST_F(KeptMetadata, ProvenanceStandsBehindWhatWasThere) {
  VImage image = told();
  image.set("png-comment-2-Software", "Scanner 3");
  image.set("exif-ifd0-Software", "Scanner 3 (x, ASCII, 10 components, 10 bytes)");
  for (const std::string type : {"jpg", "png", "tif", "webp"}) {
    image.write_to_file(in("a." + type).c_str());
    Image read = read_image(in("a." + type));
    for (int times = 0; times < 2; ++times) {  // once more changes nothing
      read.source.metadata = with_provenance(read.source.metadata, "Unmar test");
      write_image(in("b." + type), read);
      const std::string bytes = bytes_of(in("b." + type));
      const std::string line = type == "tif" ? "Unmar test" : "Scanner 3; Unmar test";
      EXPECT_NE(bytes.find(line), bytes.npos) << type;
      EXPECT_EQ(bytes.find("Unmar test; "), bytes.npos) << type;
      read = read_image(in("b." + type));
    }
  }
  Image plain(1, 4, 4);
  plain.source.metadata = with_provenance(nullptr, "Unmar test");
  for (const char* name : {"c.jpg", "c.png", "c.tif", "c.webp", "c.fits"}) {
    write_image(in(name), plain);
    EXPECT_NE(bytes_of(in(name)).find("Unmar test"), std::string::npos) << name;
  }
}

TEST_F(KeptMetadata, EnlargingChangesWhatIsToldOfPixels) {
  for (const std::string type : {"jpg", "png", "tif"}) {
    told().write_to_file(in("a." + type).c_str());
    Image image = read_image(in("a." + type));
    image.source.metadata = rescaled(image.source.metadata, 2);
    write_image(in("b." + type), image);
    EXPECT_NEAR(load(in("b." + type)).xres(), 600 / 25.4, 1e-3) << type;
    const std::string bytes = bytes_of(in("b." + type));
    if (type != "tif") {
      EXPECT_NE(bytes.find("tiff:XResolution=\"600000000/1000000\""), bytes.npos);
    }
  }
}

/// A TIFF file of one gray pixel row, big-endian, with entries that libvips does not know.
std::string big_endian_tiff(const std::string& description, const std::string& counts = {},
                            const std::string& labels = {}) {
  const auto number = [](std::uint32_t value, int size) {
    std::string bytes;
    for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> 8 * i & 0xff);
    return bytes;
  };
  struct Entry {
    std::uint32_t id, type, count;
    std::string value;
  };
  std::string doubles;  // 0.5, 0.5, 0: metres per pixel
  doubles += std::string("\x3f\xe0\0\0\0\0\0\0\x3f\xe0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
  std::vector<Entry> entries = {
      {256, 3, 1, number(4, 2)},
      {257, 3, 1, number(1, 2)},
      {258, 3, 1, number(8, 2)},
      {259, 3, 1, number(1, 2)},
      {262, 3, 1, number(1, 2)},
      {270, 2, static_cast<std::uint32_t>(description.size() + 1), description + '\0'},
      {273, 4, 1, number(8, 4)},
      {277, 3, 1, number(1, 2)},
      {278, 3, 1, number(1, 2)},
      {279, 4, 1, number(4, 4)},
      {282, 5, 1, number(1'000'000, 4) + number(65'000, 4)},
      {283, 5, 1, number(1'000'000, 4) + number(65'000, 4)},
      {296, 3, 1, number(1, 2)},
      {315, 2, 6, std::string("Cajal\0", 6)},
      {33550, 12, 3, doubles},
      {65000, 4, 2, number(0x01020304, 4) + number(5, 4)},
  };
  if (!labels.empty()) {
    entries.pop_back();
    entries.push_back({50838, 4, static_cast<std::uint32_t>(counts.size() / 4), counts});
    entries.push_back({50839, 1, static_cast<std::uint32_t>(labels.size()), labels});
  }
  std::string file = "MM" + number(42, 2) + number(0, 4) + std::string("\x10\x20\x30\x40", 4);
  std::string directory = number(static_cast<std::uint32_t>(entries.size()), 2);
  for (const Entry& e : entries) {
    directory += number(e.id, 2) + number(e.type, 2) + number(e.count, 4);
    if (e.value.size() <= 4) {
      directory += e.value + std::string(4 - e.value.size(), '\0');
    } else {
      directory += number(static_cast<std::uint32_t>(file.size()), 4);
      file += e.value;
      if (file.size() % 2 != 0) file += '\0';
    }
  }
  file.replace(4, 4, number(static_cast<std::uint32_t>(file.size()), 4));
  return file + directory + number(0, 4);
}

TEST_F(KeptMetadata, TiffKeepsEveryEntryThatDescribes) {
  put_bytes(in("a.tif"), big_endian_tiff("ImageJ=1.53k\nunit=micron\n"));
  const Image image = read_image(in("a.tif"));
  EXPECT_EQ(image.width(), 4);
  write_image(in("b.tif"), image);
  const VImage b = load(in("b.tif"));
  EXPECT_EQ(text_of(b, "image-description"), "ImageJ=1.53k\nunit=micron\n");
  const std::string bytes = bytes_of(in("b.tif"));
  for (const std::string& part :
       {std::string("Cajal\0", 6),
        std::string("\x1a\x01\x05\0\x01\0\0\0", 8),         // XResolution, a rational
        std::string("\x40\x42\x0f\0\xe8\xfd\0\0", 8),       // 1000000 / 65000 pixels
        std::string("\x28\x01\x03\0\x01\0\0\0\x01\0", 10),  // of no unit that TIFF has
        std::string("\xe8\xfd\x04\0\x02\0\0\0", 8),         // entry 65000
        std::string("\x04\x03\x02\x01\x05\0\0\0", 8)})      // its numbers, turned
    EXPECT_NE(bytes.find(part), bytes.npos) << testing::PrintToString(part);
  EXPECT_EQ(largest_difference(read_image(in("b.tif")), image), 0);
}

TEST_F(KeptMetadata, EnlargingAdaptsTheSizesOfPixelsInTiff) {
  const std::string half("\0\0\0\0\0\0\xe0\x3f", 8), quarter("\0\0\0\0\0\0\xd0\x3f", 8);
  put_bytes(in("a.tif"), big_endian_tiff("<OME><Pixels PhysicalSizeX=\"0.065\" SizeX=\"4\" "
                                         "SizeY=\"1\" PhysicalSizeY=\"0.07\"/></OME>"));
  Image image = read_image(in("a.tif"));
  write_image(in("same.tif"), image);
  EXPECT_NE(bytes_of(in("same.tif")).find(half + half), std::string::npos);
  image.source.metadata = rescaled(image.source.metadata, 2);
  write_image(in("b.tif"), image);
  EXPECT_EQ(text_of(load(in("b.tif")), "image-description"),
            "<OME><Pixels PhysicalSizeX=\"0.0325\" SizeX=\"8\" SizeY=\"2\" "
            "PhysicalSizeY=\"0.035\"/></OME>");
  EXPECT_NE(bytes_of(in("b.tif")).find(quarter + quarter), std::string::npos);
}

TEST_F(KeptMetadata, WebpWithoutAHeadGetsOne) {
  std::string exif = image::to_exif({image::text_tag(image::kCopyright, kCopyright)});
  for (const bool alpha : {false, true})
    for (const bool lossless : {false, true}) {
      VImage image = VImage::black(24, 16, VImage::option()->set("bands", alpha ? 4 : 3))
                         .linear(1, 77)
                         .cast(VIPS_FORMAT_UCHAR)
                         .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
      image.webpsave(in("a.webp").c_str(),
                     VImage::option()->set("strip", true)->set("lossless", lossless));
      put_bytes(in("b.webp"), image::webp_with(bytes_of(in("a.webp")), exif, 24, 16));
      const VImage b = load(in("b.webp"));
      EXPECT_EQ(b.bands(), alpha ? 4 : 3);
      EXPECT_THAT(text_of(b, "exif-ifd0-Copyright"), testing::StartsWith(kCopyright));
      EXPECT_EQ((b != load(in("a.webp"))).max(), 0);
    }
}

TEST_F(KeptMetadata, LabelsOfImageJAreTurnedWithTheRest) {
  // What ImageJ writes beside a picture, big-endian: how many bytes, and the label "A1" in UTF-16.
  const std::string counts("\0\0\0\x0c\0\0\0\x04", 8);
  const std::string label("IJIJlabl\0\0\0\1\0A\0001", 16);
  put_bytes(in("a.tif"), big_endian_tiff("ImageJ=1.53k\n", counts, label));
  write_image(in("b.tif"), read_image(in("a.tif")));
  const std::string bytes = bytes_of(in("b.tif"));
  EXPECT_NE(bytes.find(std::string("JIJIlbal\1\0\0\0A\0001\0", 16)), bytes.npos);
  EXPECT_NE(bytes.find(std::string("\x0c\0\0\0\x04\0\0\0", 8)), bytes.npos);
}

TEST_F(KeptMetadata, OmeDoesNotPointToTheOldFile) {
  put_bytes(in("a.tif"),
            big_endian_tiff("<OME><Pixels><TiffData IFD=\"0\"><UUID FileName=\"a.tif\">urn:uuid:1"
                            "</UUID></TiffData></Pixels></OME>"));
  write_image(in("b.tif"), read_image(in("a.tif")));
  EXPECT_EQ(text_of(load(in("b.tif")), "image-description"),
            "<OME><Pixels><TiffData IFD=\"0\"></TiffData></Pixels></OME>");
}

TEST_F(KeptMetadata, DamagedExifAndDirectoriesAreLeftOut) {
  const std::string good = big_endian_tiff("what it shows");
  const std::size_t directory = good.find(std::string("\x01\x00\x00\x03", 4)) - 2;
  for (std::size_t at = directory; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    put_bytes(in("a.tif"), bad);
    try {
      write_image(in("b.tif"), read_image(in("a.tif")));
    } catch (const Error&) {
    }
  }
  VImage image = told();
  for (const char* bytes : {"Exif", "Exif\0\0II*\0\xff\xff\xff\xff", "MM\0*\0\0\0\x08\xff\xff"}) {
    set_bytes(image, "exif-data", std::string(bytes, 12));
    image.pngsave(in("a.png").c_str());
    write_image(in("b.png"), read_image(in("a.png")));
    EXPECT_EQ(load(in("b.png")).width(), 24);
  }
}

}  // namespace
}  // namespace unmar
