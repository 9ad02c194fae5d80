#include <vips/vips8>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;
using namespace std::string_literals;

class ReadErrors : public InFolder {
 protected:
  /// Both functions that read fail alike.
  void expect_both(ErrorCode code, const std::vector<std::string>& parts, const std::string& name) {
    expect_error(code, parts, [&] { read_image(in(name)); });
    expect_error(code, parts, [&] { read_image_info(in(name)); });
  }
};

TEST_F(ReadErrors, missing_file_is_named) {
  expect_both(ErrorCode::io, {"read_image: '", "none.png' does not exist"}, "none.png");
  expect_both(ErrorCode::io, {"does not exist"}, "no-folder/none.png");
}

TEST_F(ReadErrors, folder_is_not_a_picture) {
  std::filesystem::create_directory(in("d.png"));
  expect_both(ErrorCode::io, {"d.png' is a folder"}, "d.png");
}

TEST_F(ReadErrors, device_is_not_a_picture) {
  expect_error(ErrorCode::io, {"'/dev/null' is not a regular file"},
               [] { read_image("/dev/null"); });
}

TEST_F(ReadErrors, file_without_permission_says_so) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write_image(in("a.png"), busy_picture(1, 4, 4));
  std::filesystem::permissions(in("a.png"), std::filesystem::perms::none);
  expect_both(ErrorCode::io, {"cannot open '", "a.png': Permission denied"}, "a.png");
}

TEST_F(ReadErrors, empty_file_is_named_so) {
  put_bytes(in("a.png"), "");
  expect_both(ErrorCode::bad_input, {"a.png' is empty (0 bytes)"}, "a.png");
}

TEST_F(ReadErrors, other_files_are_refused_with_the_formats_that_can_be_read) {
  for (const char* bytes : {"x", "name,value\n1,2\n", "P5 2 2 255 abcd",
                            "<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>"}) {
    put_bytes(in("a.png"), bytes);
    expect_both(ErrorCode::bad_input,
                {"a.png' is not a PNG, TIFF, JPEG, WebP, FITS, GIF, "
                 "BMP, AVIF, HEIC or JPEG XL picture"},
                "a.png");
  }
}

TEST_F(ReadErrors, broken_header_gives_one_line) {
  const std::string garbage(300, '\x5a');
  for (const std::string& head : {"\x89PNG\r\n\x1a\n"s, "\xff\xd8\xff"s, "II\x2a\0"s, "SIMPLE  ="s,
                                  "GIF89a"s, "BM"s, "\x1f\x8b"s}) {
    put_bytes(in("a.png"), head + garbage);
    expect_both(ErrorCode::bad_input,
                {"read_image: '", "a.png' is damaged, cut short or of an unusual kind ("}, "a.png");
  }
  put_bytes(in("a.png"), "RIFF____WEBP" + garbage);
  expect_both(ErrorCode::bad_input, {"is damaged"}, "a.png");
}

TEST_F(ReadErrors, cut_file_fails_at_every_length_and_prints_nothing) {
  for (const char* name : {"a.png", "a.tif", "a.jpg", "a.webp", "a.fits"}) {
    write_image(in(name), busy_picture(3, 64, 64));
    const std::string whole = bytes_of(in(name));
    for (const double share : {0.02, 0.3, 0.6, 0.9}) {
      if (share > 0.02 && std::string_view(name).ends_with(".jpg")) continue;  // see below
      put_bytes(in(name), whole.substr(0, static_cast<std::size_t>(share * double(whole.size()))));
      testing::internal::CaptureStderr();
      testing::internal::CaptureStdout();
      expect_error(ErrorCode::bad_input, {name}, [&] { read_image(in(name)); });
      EXPECT_EQ(testing::internal::GetCapturedStdout(), "") << name << share;
      EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << name << share;
    }
    put_bytes(in(name), whole);
    EXPECT_NO_THROW(read_image(in(name))) << name;
  }
}

TEST_F(ReadErrors, packed_file_whose_end_says_more_than_it_holds_takes_no_memory) {
  // An empty gzip member; its size, the last four bytes, as 0xfffffff0.
  put_bytes(in("a.fits.gz"), "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\xf0\xff\xff\xff"s);
  expect_both(ErrorCode::bad_input,
              {"a.fits.gz' is damaged", "its end says 4294967280 bytes", "20 packed bytes"},
              "a.fits.gz");
}

TEST_F(ReadErrors, jpeg_without_its_end_gives_what_there_is_and_warns) {
  const Image picture = smooth_picture(3, 64, 64);
  write_image(in("a.jpg"), picture);
  const std::string whole = bytes_of(in("a.jpg"));
  EXPECT_EQ(read_image(in("a.jpg")).source.warning, "");
  put_bytes(in("b.jpg"), whole.substr(0, whole.size() * 3 / 4));
  testing::internal::CaptureStderr();
  const Image part = read_image(in("b.jpg"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(part.source.warning, testing::HasSubstr("ends too soon"));
  ASSERT_TRUE(part.same_size(picture));
  constexpr float kLossy = 0.03f;
  for (int x = 0; x < 64; ++x) EXPECT_NEAR(part.at(1, 5, x), picture.at(1, 5, x), kLossy);
}

TEST_F(ReadErrors, other_kinds_are_read_where_libvips_reads_them) {
  ASSERT_EQ(VIPS_INIT("unmar test"), 0);
  const Image picture = smooth_picture(3, 24, 32);
  write_image(in("a.png"), picture);
  const vips::VImage pixels = vips::VImage::new_from_file(in("a.png").c_str());
  int read = 0;
  for (const char* name : {"a.gif", "a.bmp", "a.avif", "a.heic", "a.jxl"}) {
    try {
      pixels.write_to_file(in(name).c_str());
    } catch (const vips::VError&) {
      vips_error_clear();  // this one is not built in
      continue;
    }
    const Image back = read_image(in(name));
    EXPECT_TRUE(back.same_size(picture)) << name;
    EXPECT_LT(largest_difference(back, picture), 0.2) << name;
    ++read;
  }
  EXPECT_GT(read, 0);  // there is always GIF
}

TEST_F(ReadErrors, one_failure_does_not_spoil_the_next_message) {
  put_bytes(in("a.png"), "\x89PNG\r\n\x1a\nrubbish");
  expect_error(ErrorCode::bad_input, {}, [&] { read_image(in("a.png")); });
  put_bytes(in("b.jpg"), "\xff\xd8\xffrubbish");
  try {
    read_image(in("b.jpg"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("png")));
  }
  EXPECT_STREQ(vips_error_buffer(), "");
}

TEST_F(ReadErrors, too_large_a_picture_is_refused_before_it_is_decoded) {
  // 40000x30000 RGB according to its header; there are no pixels at all.
  static constexpr char kHeaderOnly[] =
      "\x89PNG\r\n\x1a\n"
      "\x00\x00\x00\x0dIHDR\x00\x00\x9c\x40\x00\x00\x75\x30\x08\x02\x00\x00\x00\x43\x74\x77\x57"
      "\x00\x00\x00\x08IDAT\x78\x9c\x03\x00\x00\x00\x00\x01\x48\x06\x89\xd2";
  put_bytes(in("a.png"), std::string(kHeaderOnly, sizeof kHeaderOnly - 1));
  expect_error(ErrorCode::too_large,
               {"a.png' is 40000x30000 px (1200 Mpx), above the limit of 100 Mpx; raise it with "
                "`max_pixels`"},
               [&] { read_image(in("a.png")); });
  expect_error(ErrorCode::bad_input, {"is damaged"},
               [&] { read_image(in("a.png"), {.max_megapixels = 1200}); });
  EXPECT_EQ(read_image_info(in("a.png")).width, 40000);
}

TEST_F(ReadErrors, limit_of_pixels_is_inclusive) {
  write_image(in("a.png"), busy_picture(1, 50, 20));
  EXPECT_NO_THROW(read_image(in("a.png"), {.max_megapixels = 0.001}));
  expect_error(ErrorCode::too_large, {"20x50 px (0.001 Mpx)", "0.0009 Mpx"},
               [&] { read_image(in("a.png"), {.max_megapixels = 0.0009}); });
}

}  // namespace
}  // namespace unmar
