#include "progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console.h"

namespace unmar::cli {
namespace progress_test {

std::vector<std::string> parts_after(int done, double seconds, std::optional<double> psnr,
                                     bool may_end_sooner) {
  HistoryRow row;
  row.iteration = done - 1;
  row.loss = 0.0125f;
  row.psnr = psnr;
  const Tensor picture(Shape{1, 1, 1, 1});
  return progress_parts("denoise", {row, 1000, seconds, 42, picture, picture}, may_end_sooner);
}

TEST(Console, ShowsTheLibrarysFieldsAsFlags) {
  EXPECT_EQ(with_flags("fit: nan; lower `lr` or raise `reg_noise_std`, `output` is full"),
            "fit: nan; lower --lr or raise --reg-noise-std, -o is full");
  for (const char* other : {"", "a `", "``", "'a`b c`d.png'", "`B`", "a `b 1`"})
    EXPECT_EQ(with_flags(other), other);
}

TEST(ProgressLine, TellsTheTimeThatTheRestTakesAtThePaceSoFar) {
  // 10 iterations a second, 900 to go.
  EXPECT_THAT(parts_after(100, 10, {}, false), testing::Contains("1:30 left"));
  EXPECT_THAT(parts_after(100, 1000, {}, false), testing::Contains("2:30:00 left"));
}

TEST(ProgressLine, CallsTheTimeABoundIfTheFitMayEndSooner) {
  EXPECT_THAT(parts_after(100, 10, {}, true), testing::Contains("at most 1:30 left"));
}

TEST(ProgressLine, HasThePsnrOnlyIfItIsKnown) {
  EXPECT_THAT(parts_after(1, 1, 27.126, false), testing::Contains("PSNR 27.13 dB"));
  EXPECT_THAT(parts_after(1, 1, {}, false),
              testing::Not(testing::Contains(testing::HasSubstr("PSNR"))));
}

TEST(ProgressLine, DropsWholePartsThatTheTerminalHasNoRoomFor) {
  EXPECT_EQ(fit_line({"denoise 1/9", "0:08 left", "loss 1"}, 29), "denoise 1/9  0:08 left");
  EXPECT_EQ(fit_line({"denoise 1/9", "0:08 left", "loss 1"}, 30), "denoise 1/9  0:08 left  loss 1");
  EXPECT_EQ(fit_line({"denoise 1/9", "0:08 left"}, 5), "denoi");
}

}  // namespace progress_test
}  // namespace unmar::cli
