#include <vips/vips8>

#include "error_text.h"
#include "image/support.h"

namespace unmar::image_test {
namespace {

class Animation : public InFolder {};
class EncodeImage : public InFolder {};

std::vector<Image> gray_frames(int count) {
  std::vector<Image> frames;
  for (int i = 0; i < count; ++i)
    frames.emplace_back(3, 10, 14, static_cast<float>(i) / static_cast<float>(count));
  return frames;
}

TEST_F(Animation, HasItsFramesAndTheirTimes) {
  for (const char* name : {"a.gif", "a.webp", "A.GIF"}) {
    write_animation(in(name), gray_frames(3), {100, 200, 1500});
    const auto pages =
        vips::VImage::new_from_file(in(name).c_str(), vips::VImage::option()->set("n", -1));
    EXPECT_EQ(pages.width(), 14) << name;
    EXPECT_EQ(pages.height(), 30) << name;
    EXPECT_EQ(pages.get_int("n-pages"), 3) << name;
    EXPECT_THAT(pages.get_array_int("delay"), testing::ElementsAre(100, 200, 1500)) << name;
    EXPECT_EQ(pages.get_int("loop"), 0) << name;
    EXPECT_NEAR(pages.getpoint(5, 15)[0], 85, 3) << name;  // the middle of the second frame
  }
}

TEST_F(Animation, RefusesWhatItCannotShow) {
  const auto refusal = [&](const char* name, std::vector<Image> frames, std::vector<int> times) {
    return test::error_text([&] { write_animation(in(name), frames, times); });
  };
  EXPECT_THAT(refusal("a.png", gray_frames(1), {10}), testing::HasSubstr(".gif or .webp"));
  EXPECT_THAT(refusal("a.gif", {}, {}), testing::HasSubstr("0 pictures"));
  EXPECT_THAT(refusal("a.gif", gray_frames(2), {10}), testing::HasSubstr("2 pictures and 1 times"));
  EXPECT_THAT(refusal("a.gif", gray_frames(1), {9}), testing::HasSubstr("9 ms"));
  std::vector<Image> mixed = gray_frames(1);
  mixed.emplace_back(1, 10, 14);
  EXPECT_THAT(refusal("a.gif", mixed, {10, 10}), testing::HasSubstr("one size and kind"));
  EXPECT_TRUE(files().empty());
}

TEST_F(EncodeImage, GivesTheBytesOfTheFile) {
  const Image image(3, 5, 7, 0.25f);
  for (const std::string extension : {".png", ".webp", ".jpg", ".tif", ".fits"}) {
    write_image(in("a" + extension), image);
    EXPECT_EQ(encode_image(image, extension), bytes_of(in("a" + extension)));
  }
}

TEST(ShrunkTo, KeepsTheShapeAndTheMean) {
  Image image(1, 40, 100, 0.5f);
  for (int x = 0; x < 50; ++x)
    for (int y = 0; y < 40; ++y) image.at(0, y, x) = 2.f;  // shown as 1
  const Image small = shrunk_to(image, 20);
  EXPECT_EQ(small.width(), 20);
  EXPECT_EQ(small.height(), 8);
  EXPECT_NEAR(small.at(0, 4, 2), 1.f, 1e-3);
  EXPECT_NEAR(small.at(0, 4, 17), 0.5f, 1e-3);
  EXPECT_EQ(shrunk_to(image, 100).width(), 100);
  EXPECT_EQ(shrunk_to(Image(3, 1, 900), 30).height(), 1);
}

}  // namespace
}  // namespace unmar::image_test
