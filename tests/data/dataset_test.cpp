#include "unmar/data/dataset.h"

#include <zlib.h>

#include <map>

#include "diffusion/support.h"
#include "image/support.h"

namespace unmar {
namespace dataset_test {

using namespace diffusion_test;
using image_test::bytes_of;
using image_test::expect_error;
using image_test::put_bytes;
using testing::ElementsAre;

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

std::string idx(std::uint32_t count, std::uint32_t height, std::uint32_t width,
                const std::string& samples) {
  return big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width) + samples;
}

/// 0, 1, 2, ...
std::string counting(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}

class Idx : public image_test::InFolder {
 protected:
  Dataset read(const std::string& bytes) {
    put_bytes(in("a.idx"), bytes);
    return read_idx(in("a.idx"));
  }
  std::string gzipped(const std::string& bytes) {
    const gzFile file = gzopen(in("a.gz").c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return bytes_of(in("a.gz"));
  }
};

TEST_F(Idx, is_read_plain_and_gzipped) {
  for (const bool pack : {false, true}) {
    const std::string bytes = idx(3, 2, 4, counting(24));
    const Dataset set = read(pack ? gzipped(bytes) : bytes);
    EXPECT_EQ(set.count(), 3u);
    EXPECT_EQ(set.channels, 1);
    EXPECT_EQ(set.height, 2);
    EXPECT_EQ(set.width, 4);
    EXPECT_EQ(std::string(set.samples.begin(), set.samples.end()), counting(24));
  }
}

TEST_F(Idx, longer_than_one_piece_is_read_whole) {
  const Dataset set = read(gzipped(idx(3000, 28, 28, counting(3000 * 784))));
  EXPECT_EQ(set.count(), 3000u);
  EXPECT_EQ(set.samples.back(), static_cast<std::uint8_t>(3000 * 784 - 1));
}

TEST_F(Idx, that_is_not_one_is_refused) {
  const auto expect = [&](ErrorCode code, const std::string& bytes, const std::string& part) {
    expect_error(code, {"read_idx: '", part}, [&] { read(bytes); });
  };
  const auto input = ErrorCode::bad_input;
  expect(input, "", "too short");
  expect(input, "short", "too short");
  expect(input, big_endian(0x801) + std::string(20, '\0'), "begins with 00000801, not 00000803");
  expect(input, idx(0, 2, 4, ""), "has 0 pictures of 4x2 px");
  expect(input, idx(3, 2, 4, counting(23)), "ends after 23 of 24 bytes");
  expect(input, idx(3, 2, 4, counting(25)), "goes on after its 3 pictures");
  // Claims 4 GiB; nothing of that size is allocated.
  expect(input, idx(4194304, 32, 32, counting(5)), "ends after 5 of 4294967296 bytes");
  expect(ErrorCode::too_large, idx(4194305, 32, 32, ""), "says it has 4194305 pictures");
  expect(ErrorCode::too_large, idx(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, ""), "4096 px on a side");
}

TEST_F(Idx, damaged_gzip_is_refused) {
  const std::string whole = gzipped(idx(30, 5, 4, counting(600)));
  for (std::size_t length = 0; length < whole.size(); length += 7)
    expect_error(ErrorCode::bad_input, {"read_idx: '"}, [&] { read(whole.substr(0, length)); });
  std::string wrong_sum = whole;
  wrong_sum[whole.size() - 8] ^= 1;
  expect_error(ErrorCode::bad_input, {"cannot be unpacked"}, [&] { read(wrong_sum); });
}

TEST_F(Idx, missing_file_and_folder_are_named) {
  expect_error(ErrorCode::io, {"none' does not exist"}, [&] { read_idx(in("none")); });
  expect_error(ErrorCode::io, {"is not a regular file"}, [&] { read_idx(folder()); });
}

class PictureFolder : public image_test::InFolder {};

TEST_F(PictureFolder, is_read_by_name_cropped_and_resized) {
  Image wide(3, 8, 20, 0.f);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 8; ++y)
      for (int x = 6; x < 14; ++x) wide.at(c, y, x) = c == 0 ? 1.f : 0.2f;
  write_image(in("b.png"), wide);
  write_image(in("a.PNG"), Image(1, 4, 4, 0.6f));
  put_bytes(in("notes.txt"), "no picture");
  const Dataset set = read_picture_folder(folder(), {.size = 4});
  ASSERT_EQ(set.count(), 2u);
  EXPECT_EQ(set.channels, 3);
  for (std::size_t i = 0; i < 96; ++i)
    EXPECT_EQ(set.samples[i], i < 48 ? 153 : i < 64 ? 255 : 51) << i;
}

TEST_F(PictureFolder, may_be_read_as_gray) {
  write_image(in("a.png"), Image(3, 6, 6, 0.4f));
  const Dataset set = read_picture_folder(folder(), {.size = 2, .gray = true});
  EXPECT_EQ(set.channels, 1);
  EXPECT_THAT(set.samples, ElementsAre(102, 102, 102, 102));
}

TEST_F(PictureFolder, background_shows_through_where_pictures_are_transparent) {
  Image picture(1, 1, 1, 0.f);
  picture.source.alpha = {51.f / 255};
  write_image(in("a.png"), picture);
  EXPECT_EQ(read_picture_folder(folder(), {.size = 1}).samples[0], 204);
  EXPECT_EQ(read_picture_folder(folder(), {.size = 1, .background = 0.f}).samples[0], 0);
}

TEST_F(PictureFolder, without_a_usable_picture_is_an_error) {
  expect_error(ErrorCode::bad_input, {"holds no PNG"}, [&] { read_picture_folder(folder()); });
  expect_error(ErrorCode::io, {"cannot list '"}, [&] { read_picture_folder(in("none")); });
  expect_error(ErrorCode::bad_argument, {"size must be 1 to 4096, got 0"},
               [&] { read_picture_folder(folder(), {.size = 0}); });
  put_bytes(in("a.png"), "no picture");
  expect_error(ErrorCode::bad_input, {"none of the 1 pictures", "a.png"},
               [&] { read_picture_folder(folder()); });
}

TEST_F(PictureFolder, leaves_out_and_counts_what_cannot_be_read) {
  put_bytes(in("a.png"), "");
  write_image(in("b.png"), Image(3, 4, 4, 1.f));
  put_bytes(in("c.jpg"), "no picture");
  const Dataset set = read_picture_folder(folder(), {.size = 2});
  EXPECT_EQ(set.count(), 1u);
  EXPECT_EQ(set.left_out, 2u);
  EXPECT_THAT(set.why, testing::HasSubstr("a.png"));
}

TEST_F(PictureFolder, holds_the_pictures_of_its_folders_and_fits) {
  for (const char* sub : {"one/deeper", "two", ".hidden"})
    std::filesystem::create_directories(in(sub));
  const auto put = [&](const char* name, float value) {
    write_image(in(name), Image(1, 4, 4, value));
  };
  put("one/deeper/a.png", 0.f);
  put("two/b.png", 1.f);
  put(".hidden/c.png", 0.5f);
  Image fits(1, 4, 4, 0.5f);
  fits.at(0, 0, 0) = 0.f;
  fits.at(0, 3, 3) = 1.f;
  write_image(in("d.fits"), fits);
  const Dataset set = read_picture_folder(folder(), {.size = 1, .gray = true});
  EXPECT_EQ(set.count(), 3u);
  EXPECT_THAT(set.samples, ElementsAre(testing::Gt(100), 0, 255));
  EXPECT_EQ(set.left_out, 0u);
}

/// Picture i is 1 x 2 with the samples 2 i and 2 i + 1.
Dataset numbered(int count) {
  const std::string samples = counting(static_cast<std::size_t>(2 * count));
  return {1, 1, 2, {samples.begin(), samples.end()}};
}
int sample_of(const Tensor& batch, int n, int x) {
  return static_cast<int>(std::lround((batch.at(n, 0, 0, x) + 1.f) * 127.5f));
}

TEST(Batches, hold_each_picture_once_a_pass_in_another_order_each_time) {
  Batches batches(numbered(10), {.batch = 4, .seed = 3});
  std::vector<int> seen;
  for (int number = 0; number < 5; ++number) {  // two passes
    const Tensor batch = batches.at(number);
    EXPECT_EQ(batch.shape(), (Shape{4, 1, 1, 2}));
    for (int n = 0; n < 4; ++n) {
      EXPECT_EQ(sample_of(batch, n, 1), sample_of(batch, n, 0) + 1);
      seen.push_back(sample_of(batch, n, 0) / 2);
    }
  }
  const std::vector<int> first(seen.begin(), seen.begin() + 10),
      second(seen.begin() + 10, seen.end());
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 10u);
  EXPECT_EQ(std::set<int>(second.begin(), second.end()).size(), 10u);
  EXPECT_NE(first, second);
}

TEST(Batches, depend_on_seed_and_number_alone) {
  Batches a(numbered(10), {.batch = 3, .flip = true, .seed = 3});
  Batches b(numbered(10), {.batch = 3, .flip = true, .seed = 3});
  Batches other(numbered(10), {.batch = 3, .flip = true, .seed = 4});
  for (int number = 0; number < 20; ++number) a.at(number);
  EXPECT_EQ(largest_difference(a.at(7), b.at(7)), 0);
  EXPECT_GT(largest_difference(a.at(7), other.at(7)), 0);
}

TEST(Batches, flip_half_of_the_pictures) {
  Batches batches(numbered(100), {.batch = 1000, .flip = true});
  const Tensor batch = batches.at(0);
  int flipped = 0;
  for (int n = 0; n < 1000; ++n) flipped += sample_of(batch, n, 0) > sample_of(batch, n, 1) ? 1 : 0;
  EXPECT_NEAR(flipped, 500, 80);  // five deviations
}

TEST(Batches, are_larger_than_the_dataset_if_asked_to) {
  Batches batches(numbered(3), {.batch = 9});
  const Tensor batch = batches.at(0);
  std::map<int, int> times;
  for (int n = 0; n < 9; ++n) ++times[sample_of(batch, n, 0)];
  EXPECT_EQ(times, (std::map<int, int>{{0, 3}, {2, 3}, {4, 3}}));
}

TEST(Batches, map_samples_to_minus_one_to_one) {
  Batches batches({3, 1, 1, {0, 51, 255}}, {.batch = 1});
  EXPECT_THAT(batches.at(0).values(), ElementsAre(-1.f, testing::FloatEq(-0.6f), 1.f));
}

TEST(Batches, refuse_what_cannot_be_drawn_from) {
  expect_error(ErrorCode::bad_argument, {"the dataset is empty"}, [] { Batches({}, {}); });
  expect_error(ErrorCode::bad_argument, {"batch must be at least 1, got 0"},
               [] { Batches(numbered(3), {.batch = 0}); });
  expect_error(ErrorCode::bad_argument, {"must not be negative"},
               [] { Batches(numbered(3), {}).at(-1); });
}

TEST(Padded, pictures_stand_in_the_middle_of_black) {
  const Dataset set{2, 1, 2, {1, 2, 3, 4, 5, 6, 7, 8}};
  const Dataset larger = padded(set, 4);
  EXPECT_EQ(larger.count(), 2u);
  EXPECT_EQ(larger.height, 4);
  EXPECT_EQ(larger.width, 4);
  std::vector<std::uint8_t> expected(2 * 2 * 16, 0);
  for (std::size_t plane = 0; plane < 4; ++plane)
    for (std::size_t x = 0; x < 2; ++x)
      expected[plane * 16 + 4 + 1 + x] = static_cast<std::uint8_t>(2 * plane + x + 1);
  EXPECT_EQ(larger.samples, expected);
  expect_error(ErrorCode::bad_argument, {"2x1 px", "1x1"}, [&] { padded(set, 1); });
}

}  // namespace dataset_test
}  // namespace unmar
