#include <fstream>

#include "cli/support.h"

namespace unmar::cli_test {
namespace bad_input_test {

class BadInput : public CliTest {
 protected:
  BadInput() { put("good.png", test_picture(16, 16)); }

  void put_bytes(const std::string& name, const std::string& bytes) const {
    std::ofstream(in(name), std::ios::binary) << bytes;
  }
  Words denoise(const std::string& name) const { return Words{"denoise", name, "-o", "out.png"}; }
};

TEST_F(BadInput, AMissingFileIsNamed) {
  expect_refusal(denoise("none.png") + kTiny, kFailure, {"'none.png'", "does not exist"});
}

TEST_F(BadInput, AnEmptyFileIsNamed) {
  put_bytes("empty.png", "");
  expect_refusal(denoise("empty.png") + kTiny, kFailure, {"'empty.png'", "0 bytes"});
}

TEST_F(BadInput, AFileThatIsNoPictureIsNamed) {
  put_bytes("letter.png", "Dear Sir or Madam, this is not a picture.");
  expect_refusal(denoise("letter.png") + kTiny, kFailure, {"'letter.png'"});
}

TEST_F(BadInput, ATruncatedPictureIsNamed) {
  put("whole.png", test_picture(64, 64));
  const std::string bytes = contents(in("whole.png"));
  put_bytes("cut.png", bytes.substr(0, bytes.size() / 2));
  expect_refusal(denoise("cut.png") + kTiny, kFailure, {"'cut.png'"});
}

TEST_F(BadInput, AFolderIsNoInput) { expect_refusal(denoise(".") + kTiny, kFailure, {"folder"}); }

TEST_F(BadInput, APictureAboveTheLimitIsRefused) {
  expect_refusal(denoise("good.png") + Words{"--max-pixels", "0.0001"}, kFailure,
                 {"good.png", "--max-pixels"});
}

TEST_F(BadInput, AMaskOfAnotherSizeIsRefusedWithBothSizes) {
  put("mask.png", Image(1, 16, 15, 1.f));
  expect_refusal(Words{"inpaint", "good.png", "--mask", "mask.png", "-o", "out.png"} + kTiny,
                 kFailure, {"15x16 px", "16x16 px"});
}

TEST_F(BadInput, AMaskThatIsBlackEverywhereIsRefused) {
  put("mask.png", Image(1, 16, 16, 0.f));
  expect_refusal(Words{"inpaint", "good.png", "--mask", "mask.png", "-o", "out.png"} + kTiny,
                 kFailure, {"black everywhere", "--invert-mask"});
}

TEST_F(BadInput, AReferenceOfAnotherSizeIsRefusedWithBothSizes) {
  put("clean.png", test_picture(30, 32));
  expect_refusal(
      Words{"upscale", "good.png", "--factor", "2", "-o", "out.png", "--reference", "clean.png"} +
          kTiny,
      kFailure, {"32x30 px", "32x32 px", "16x16 px"});
}

TEST_F(BadInput, ValuesOutOfRangeAreUsageErrors) {
  expect_refusal({"upscale", "good.png", "--factor", "5", "-o", "out.png"}, kUsage,
                 {"--factor must be 2, 3, 4 or 8, got 5"});
  expect_refusal(denoise("good.png") + Words{"--sigma", "-3"}, kUsage,
                 {"--sigma must be between 0 and 255, got -3"});
  expect_refusal(denoise("good.png") + Words{"--iterations", "0"}, kUsage,
                 {"--iterations must be a whole number from 1 to 1000000, got 0"});
  expect_refusal(denoise("good.png") + Words{"--stop", "soon"}, kUsage,
                 {"--stop must be auto, none, wmv, emv, held-out", "got soon"});
  expect_refusal(denoise("good.png") + Words{"--watch", "wmv,hope"}, kUsage,
                 {"--watch names 'hope'", "discrepancy"});
  expect_refusal(denoise("good.png") + Words{"--watch", "wmv,wmv"}, kUsage, {"names 'wmv' twice"});
  expect_refusal(denoise("good.png") + Words{"--stop", "discrepancy"}, kUsage,
                 {"--stop discrepancy needs to know how strong the noise is", "--sigma"});
  expect_refusal(denoise("good.png") + Words{"--stop", "sure", "--sigma", "9"}, kUsage,
                 {"--input observed"});
  expect_refusal({"upscale", "good.png", "--factor", "2", "-o", "out.png", "--stop", "held-out"},
                 kUsage, {"--stop held-out", "take wmv, emv or none"});
  expect_refusal(denoise("good.png") + Words{"--every", "0"}, kUsage,
                 {"--every must be a whole number between 1 and 1000000, got 0"});
  expect_refusal(denoise("good.png") + Words{"--engine", "steam"}, kUsage, {"steam", "ref"});
}

TEST_F(BadInput, WordsThatTheCommandDoesNotKnowAreUsageErrors) {
  expect_refusal(denoise("good.png") + Words{"--sharpness", "3"}, kUsage,
                 {"--sharpness", "see unmar denoise --help"});
  expect_refusal({"denoise", "good.png"}, kUsage, {"--output", "see unmar denoise --help"});
  expect_refusal({"inpaint", "good.png", "-o", "out.png"}, kUsage, {"--mask"});
  expect_refusal({"polish", "good.png"}, kUsage, {"no command 'polish'", "denoise, inpaint"});
  expect_refusal({"--polish"}, kUsage, {"--polish", "see unmar --help"});
  expect_refusal({"denoise", "good.png", "-o"}, kUsage, {"--output needs a value"});
  expect_refusal({"denoise", "good.png", "more.png", "-o", "out.png"}, kUsage,
                 {"out.png' is a file", "folder"});
}

TEST_F(BadInput, AnOutputThatCannotBeWrittenIsKnownBeforeTheFit) {
  std::filesystem::create_directory(in("folder.png"));
  // Without kTiny the fit would take minutes.
  expect_refusal({"denoise", "good.png", "-o", "folder.png"}, kFailure, {"folder.png"});
  expect_refusal({"denoise", "good.png", "-o", "nowhere/out.png"}, kFailure, {"nowhere"});
  expect_refusal({"denoise", "good.png", "-o", "out.xyz"}, kUsage, {".xyz"});
  const Words good = denoise("good.png");
  expect_refusal(good + Words{"--history", "nowhere/h.csv"}, kFailure,
                 {"--history", "nowhere/h.csv"});
  expect_refusal(good + Words{"--manifest", "folder.png"}, kFailure, {"--manifest", "folder.png"});
  expect_refusal(good + Words{"--snapshots", "good.png"}, kFailure, {"--snapshots", "good.png"});
}

TEST_F(BadInput, AFitThatNeedsMoreMemoryThanItMayTakeIsRefusedBeforeItStarts) {
  put("large.png", test_picture(300, 400));
  const Words little = {"--max-memory", "0.001"};
  expect_refusal(denoise("large.png") + little, kFailure,
                 {"denoise: a fit of 160x160 with this network needs ", "2 MiB are allowed",
                  "--channels", "--max-memory"});
  expect_refusal(denoise("large.png") + little + Words{"--tile", "none"}, kFailure,
                 {"denoise: a fit of 400x300 with this network needs "});
  EXPECT_EQ(run(denoise("large.png") + Words{"--max-memory", "1", "--iterations", "1"}).code, 0);
}

TEST_F(BadInput, ComparingDifferentSizesIsRefused) {
  put("other.png", test_picture(16, 17));
  expect_refusal({"compare", "good.png", "other.png"}, kFailure, {"16x16 px", "17x16 px"});
}

TEST_F(BadInput, DamageOutOfRangeIsAUsageError) {
  const Words degrade = {"degrade", "good.png", "-o", "out.png"};
  expect_refusal(degrade + Words{"--shrink", "5"}, kUsage, {"--shrink must be 2, 3, 4 or 8"});
  expect_refusal(degrade + Words{"--noise", "300"}, kUsage, {"between 0 and 255, got 300"});
  expect_refusal(degrade + Words{"--missing", "1.5"}, kUsage, {"--missing must be between 0 and"});
  expect_refusal(degrade + Words{"--noise", "9", "--seed", "-1"}, kUsage, {"--seed", "got -1"});
}

TEST_F(BadInput, DegradingByNothingIsAUsageError) {
  expect_refusal({"degrade", "good.png", "-o", "out.png"}, kUsage, {"--noise", "--missing"});
  expect_refusal({"degrade", "good.png", "-o", "out.png", "--noise", "9", "--mask-out", "m.png"},
                 kUsage, {"--mask-out"});
}

}  // namespace bad_input_test
}  // namespace unmar::cli_test
