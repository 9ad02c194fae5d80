#include "runs/support.h"
#include "unmar/runs/queue.h"

namespace unmar::runs_test {
namespace {

using testing::HasSubstr;

/// A region of a frame of 16 bits that uses little of them, with a hole, a reference and a star
/// outside of the region.
class Region : public RunsTest {
 protected:
  static constexpr Rect kRegion{10, 40, 48, 64};

  FitRequest some(Task task) const {
    FitRequest request = this->request("a", 5);
    request.task = task;
    request.options.engine = "cpu";
    Image frame(1, 90, 130), mask(1, 90, 130, 1.f);
    for (int y = 0; y < 90; ++y)
      for (int x = 0; x < 130; ++x)
        frame.at(0, y, x) = 0.02f + 0.0001f * static_cast<float>((7 * x + 3 * y) % 40);
    frame.at(0, 80, 5) = 0.3f;
    for (int x = 50; x < 60; ++x) mask.at(0, 30, x) = 0.f;
    frame.source.format = SampleFormat::u16;
    frame.source.range = {0, 65535};
    write_image(in("frame.tif"), frame);
    write_image(in("mask.png"), mask);
    request.in.picture = in("frame.tif");
    request.in.reference.clear();
    if (task == Task::inpaint) request.in.mask = in("mask.png");
    request.in.reading.region = kRegion;
    request.out.result = in("part.tif");
    return request;
  }
  Image part_of_frame() const {
    return crop(read_image(in("frame.tif")), kRegion.y, kRegion.x, kRegion.height, kRegion.width);
  }
};

TEST_F(Region, IsReadInTheRangeOfTheWhole) {
  RunObserver quiet;
  const RunResult result = run(some(Task::denoise), nullptr, quiet);
  const Image expected = part_of_frame();
  EXPECT_EQ(result.input.width, kRegion.width);
  EXPECT_EQ(result.input.source.range, expected.source.range);
  EXPECT_EQ(read_image(in("part.tif")).height(), kRegion.height);
}

TEST_F(Region, OfAPictureWithAMaskKeepsWhatIsKnown) {
  RunObserver quiet;
  for (const char* tile : {"none", "64"}) {
    FitRequest request = some(Task::inpaint);
    request.options.tile = tile;
    request.in.reading.region->width = 80;  // two tiles
    run(request, nullptr, quiet);
    const Image result = read_image(in("part.tif"), {.fixed_range = ValueRange{0, 65535}});
    const Image frame = crop(read_image(in("frame.tif"), {.fixed_range = ValueRange{0, 65535}}),
                             kRegion.y, kRegion.x, kRegion.height, 80);
    int filled = 0;
    for (int y = 0; y < kRegion.height; ++y)
      for (int x = 0; x < 80; ++x) {
        const bool hole = y == 20 && x >= 10 && x < 20;
        if (!hole)
          ASSERT_EQ(result.at(0, y, x), frame.at(0, y, x)) << x << " " << y;
        else
          filled += result.at(0, y, x) != frame.at(0, y, x);
      }
    EXPECT_GT(filled, 5) << tile;
  }
}

TEST_F(Region, IsComparedWithThatOfTheReferenceEnlargedIfNeedBe) {
  RunObserver quiet;
  FitRequest request = some(Task::upscale);
  request.options.method.reset();
  request.options.factor = 2;
  write_image(in("large.tif"), enlarge_bicubic(read_image(in("frame.tif")), 2));
  request.in.reference = in("large.tif");
  const RunResult result = run(request, nullptr, quiet);
  EXPECT_EQ(result.output.width, 2 * kRegion.width);
  EXPECT_GT(*result.restored.psnr_input, 35);
}

TEST_F(Region, IsKeptInTheRequest) {
  const FitRequest request = some(Task::denoise);
  EXPECT_EQ(fit_request_from_json(to_json(request), "test").in.reading.region, kRegion);
  EXPECT_THAT(command_line(request), HasSubstr("--region 40,10,64x48"));
}

TEST_F(Region, OfNothingIsRefusedByReadingItAlsoInAQueue) {
  FitRequest request = some(Task::denoise);
  request.in.reading.region = region_of("0,0,0x0");
  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  const auto job = queue.submit(request);
  EXPECT_EQ(queue.wait(job).state, JobState::failed);
  EXPECT_THAT(queue.info(job).error, HasSubstr("0,0,0x0"));
}

TEST_F(Region, OutsideOfThePictureIsRefusedWithTheNumbers) {
  RunObserver quiet;
  FitRequest request = some(Task::denoise);
  request.in.reading.region->x = 100;
  try {
    run(request, nullptr, quiet);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("100,10,64x48"));
    EXPECT_THAT(error.what(), HasSubstr("130x90"));
  }
  for (const char* text : {"", "1,2", "1,2,3", "1,2,3x", "1,2,3x4x", "-1,2,3x4", "1,2,3x4 "})
    EXPECT_THROW(region_of(text), Error) << text;
}

}  // namespace
}  // namespace unmar::runs_test
