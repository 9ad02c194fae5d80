#include <sys/stat.h>

#include <thread>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

constexpr double kHalf8BitStep = 0.5 / 255 + 1e-6;

struct Case {
  std::string name;
  SampleFormat format;
  int channels;
};

std::uint32_t steps(SampleFormat format) { return format == SampleFormat::u8 ? 255 : 65535; }

ValueRange full(SampleFormat format) {
  return format == SampleFormat::f32 ? ValueRange{0, 1} : ValueRange{0, double(steps(format))};
}

class Lossless : public InFolder, public testing::WithParamInterface<Case> {};

TEST_P(Lossless, gives_the_same_samples_format_and_channels_back) {
  for (const auto& [height, width] : {std::pair{31, 17}, {1, 1}, {64, 48}}) {
    const auto& [name, format, channels] = GetParam();
    Image image = busy_picture(channels, height, width, steps(format));
    image.source.format = format;
    image.source.range = full(format);
    write_image(in(name), image);
    const Image back = read_image(in(name), {.range = RangeMode::full});
    EXPECT_LT(largest_difference(back, image), kSameSample) << width << "x" << height;
    EXPECT_EQ(back.source.format, format);
    EXPECT_EQ(back.source.range, full(format));
    EXPECT_TRUE(back.source.alpha.empty());
    EXPECT_TRUE(back.source.icc_profile.empty());

    const ImageInfo info = read_image_info(in(name));
    EXPECT_EQ(info.channels, channels);
    EXPECT_EQ(info.height, height);
    EXPECT_EQ(info.width, width);
    EXPECT_EQ(info.format, format);
    EXPECT_FALSE(info.has_alpha);
  }
  EXPECT_EQ(files(), std::set<std::string>{GetParam().name});
}

std::vector<Case> lossless_cases() {
  using enum SampleFormat;
  std::vector<Case> cases;
  for (const int channels : {1, 3}) {
    for (const SampleFormat format : {u8, u16}) {
      for (const char* name : {"a.png", "a.tif", "a.tiff", "a.fits", "a.FIT"}) {
        cases.push_back({name, format, channels});
      }
    }
    for (const char* name : {"a.tif", "a.fits"}) cases.push_back({name, f32, channels});
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const auto& [name, format, channels] = info.param;
  const char* formats[] = {"u8", "u16", "f32"};
  return name.substr(2) + "_" + formats[static_cast<int>(format)] +
         (channels == 1 ? "_gray" : "_rgb");
}
INSTANTIATE_TEST_SUITE_P(WriteImage, Lossless, testing::ValuesIn(lossless_cases()), case_name);

class WriteImage : public InFolder {};

TEST_F(WriteImage, keeps_a_smooth_picture_within_40_dB_in_lossy_formats) {
  for (const char* name : {"a.jpg", "a.JPEG", "a.webp"}) {
    const Image image = smooth_picture(3, 61, 45);
    write_image(in(name), image);
    const Image back = read_image(in(name));
    EXPECT_GT(psnr(back, image), 40) << name;
    EXPECT_LT(psnr(back, image), 80) << name;  // else the test compares a picture with itself
  }
}

TEST_F(WriteImage, makes_smaller_files_at_lower_quality) {
  for (const char* name : {"a.jpg", "a.webp"}) {
    const Image image = busy_picture(3, 64, 64);
    write_image(in(name), image, {.quality = 95});
    const auto fine = bytes_of(in(name)).size();
    write_image(in(name), image, {.quality = 20});
    EXPECT_LT(bytes_of(in(name)).size(), fine) << name;
  }
}

TEST_F(WriteImage, keeps_every_sample_in_webp_of_quality_100) {
  const Image image = busy_picture(3, 31, 17);
  write_image(in("a.webp"), image, {.quality = 100});
  EXPECT_LT(largest_difference(read_image(in("a.webp")), image), kSameSample);
}

TEST_F(WriteImage, keeps_gray_gray_in_jpeg_and_makes_it_rgb_in_webp) {
  const Image image = smooth_picture(1, 40, 40);
  write_image(in("a.jpg"), image);
  EXPECT_EQ(read_image(in("a.jpg")).channels(), 1);
  write_image(in("a.webp"), image);
  EXPECT_EQ(read_image(in("a.webp")).channels(), 3);
}

TEST_F(WriteImage, rounds_to_the_nearest_and_clamps_in_integer_formats) {
  Image image(1, 1, 4);
  const float values[] = {-0.3f, 1.2f, 100.4f / 255.f, 100.6f / 255.f};
  std::copy(std::begin(values), std::end(values), image.pixels().begin());
  write_image(in("a.png"), image);
  const Image back = read_image(in("a.png"));
  EXPECT_EQ(back.at(0, 0, 0), 0.f);
  EXPECT_EQ(back.at(0, 0, 1), 1.f);
  EXPECT_NEAR(back.at(0, 0, 2), 100 / 255., kSameSample);
  EXPECT_NEAR(back.at(0, 0, 3), 101 / 255., kSameSample);
}

TEST_F(WriteImage, keeps_values_outside_0_to_1_in_float_formats) {
  for (const char* name : {"a.tif", "a.fits"}) {
    Image image(1, 1, 3);
    image.source.format = SampleFormat::f32;
    image.source.range = {0, 1};
    const float values[] = {-0.3f, 0.5f, 1.25f};
    std::copy(std::begin(values), std::end(values), image.pixels().begin());
    write_image(in(name), image);
    const Image back = read_image(in(name), {.range = RangeMode::full});
    EXPECT_EQ(largest_difference(back, image), 0) << name;
  }
}

TEST_F(WriteImage, takes_an_explicit_format_over_that_of_the_source) {
  const Image image = busy_picture(3, 9, 8, 65535);  // its source says 8 bit
  write_image(in("a.png"), image, {.format = SampleFormat::u16});
  Image back = read_image(in("a.png"));
  EXPECT_EQ(back.source.format, SampleFormat::u16);
  EXPECT_LT(largest_difference(back, image), kSameSample);

  back.source.range = {0, 65535};
  write_image(in("b.png"), back, {.format = SampleFormat::u8});
  EXPECT_EQ(read_image(in("b.png")).source.format, SampleFormat::u8);
  EXPECT_LT(largest_difference(read_image(in("b.png")), image), kHalf8BitStep);
}

TEST_F(WriteImage, gives_sixteen_bit_png_and_eight_bit_jpeg_for_a_float_source) {
  Image image = smooth_picture(1, 33, 20);
  image.source.format = SampleFormat::f32;
  image.source.range = {0, 1};
  write_image(in("a.png"), image);
  EXPECT_EQ(read_image_info(in("a.png")).format, SampleFormat::u16);
  write_image(in("a.jpg"), image);
  EXPECT_EQ(read_image_info(in("a.jpg")).format, SampleFormat::u8);
  EXPECT_GT(psnr(read_image(in("a.jpg")), image), 40);
}

TEST_F(WriteImage, replaces_a_file_and_keeps_its_permissions) {
  write_image(in("a.png"), busy_picture(1, 5, 5));
  std::filesystem::permissions(in("a.png"), std::filesystem::perms(0640));
  const Image second = busy_picture(3, 6, 4);
  write_image(in("a.png"), second);
  EXPECT_LT(largest_difference(read_image(in("a.png")), second), kSameSample);
  EXPECT_EQ(std::filesystem::status(in("a.png")).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(files(), std::set<std::string>{"a.png"});
}

TEST_F(WriteImage, gives_a_new_file_the_permissions_of_the_umask) {
  const mode_t old = ::umask(027);
  for (const char* name : {"a.png", "a.fits"}) {
    write_image(in(name), busy_picture(1, 5, 5));
    EXPECT_EQ(std::filesystem::status(in(name)).permissions(), std::filesystem::perms(0640))
        << name;
  }
  ::umask(old);
}

TEST_F(WriteImage, follows_a_symbolic_link) {
  std::filesystem::create_directory(in("real"));
  write_image(in("real/a.png"), busy_picture(1, 5, 5));
  std::filesystem::create_symlink(in("real/a.png"), in("link.png"));
  write_image(in("link.png"), busy_picture(3, 6, 4));
  EXPECT_TRUE(std::filesystem::is_symlink(in("link.png")));
  EXPECT_EQ(read_image_info(in("real/a.png")).channels, 3);
}

TEST_F(WriteImage, takes_names_that_libraries_give_a_meaning_to) {
  for (const char* folder : {"d (2)", "e[1]", "f;g", "h,i=1", "j k\xc3\xa4"}) {
    std::filesystem::create_directory(in(folder));
    for (const char* name : {"a[1].png", "b (2).fits", "c[x].tif", "!d.fits", "e{}%s.jpg"}) {
      const auto path = in(folder) / name;
      write_image(path, smooth_picture(1, 20, 20));
      EXPECT_GT(psnr(read_image(path), smooth_picture(1, 20, 20)), 40) << path;
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(in(folder)), {}), 5) << folder;
  }
}

TEST_F(WriteImage, takes_a_name_without_a_folder) {
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder());
  write_image("a.png", busy_picture(1, 5, 5));
  write_image("b.fits", busy_picture(1, 5, 5));
  std::filesystem::current_path(here);
  EXPECT_EQ(files(), (std::set<std::string>{"a.png", "b.fits"}));
}

class ReadImage : public InFolder {};

TEST_F(ReadImage, goes_by_content_and_not_by_extension) {
  write_image(in("a.png"), busy_picture(3, 5, 5));
  std::filesystem::rename(in("a.png"), in("a.jpg"));
  EXPECT_EQ(read_image_info(in("a.jpg")).loader, "png");
  EXPECT_LT(largest_difference(read_image(in("a.jpg")), busy_picture(3, 5, 5)), kSameSample);
}

TEST_F(ReadImage, sees_a_file_that_was_written_again) {
  for (const char* name : {"a.png", "a.tif", "a.fits"}) {
    write_image(in(name), Image(1, 6, 6, 0.2f));
    EXPECT_NEAR(read_image(in(name)).at(0, 0, 0), 0.2, kHalf8BitStep);
    write_image(in(name), Image(1, 6, 6, 0.8f));
    EXPECT_NEAR(read_image(in(name)).at(0, 0, 0), 0.8, kHalf8BitStep) << name;
  }
}

TEST_F(ReadImage, and_write_work_in_several_threads_at_once) {
  const Image image = busy_picture(3, 40, 30);
  std::vector<std::thread> threads;
  std::array<double, 4> differences;
  differences.fill(HUGE_VAL);
  for (std::size_t i = 0; i < differences.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto path = in(std::to_string(i) + (i % 2 == 0 ? ".png" : ".fits"));
      for (int round = 0; round < 5; ++round) write_image(path, image);
      differences[i] = largest_difference(read_image(path), image);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(differences, testing::Each(testing::Lt(kSameSample)));
}

}  // namespace
}  // namespace unmar
