#include "unmar/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/frames.h"
#include "unmar/tensor/archive.h"

namespace unmar {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Image picture(float value = 0.5f) {
  Image image(3, 12, 16, value);
  image.at(1, 3, 4) = 0.9f;
  return image;
}

/// A fit without a fit: iterates that drift from gray to the picture.
class Frames : public testing::Test {
 protected:
  static constexpr int kIterations = 40;

  static void record(FrameRecorder& recorder, int from, int to, double psnr = 20) {
    const auto damage = make_identity();
    const Tensor y = to_tensor(picture()), z(Shape{1, 2, 12, 16}, 0.3f);
    recorder.watch({picture(), z, *damage, y});
    for (int i = from; i < to; ++i) {
      Tensor now = y;
      for (float& v : now.values()) v += 0.4f / static_cast<float>(i + 1);
      HistoryRow row;
      row.iteration = i;
      row.loss = 1.f / static_cast<float>(i + 1);
      row.psnr = psnr;
      recorder.observe({row, kIterations, 1.0, i, now, now});
    }
  }

  static Restored restored() {
    Restored r;
    r.image = picture();
    r.options = resolve(Task::denoise, {.seed = 5});
    r.engine = {"cpu", "test"};
    r.network = network_options(r.options);
    for (int i = 0; i < kIterations; ++i) {
      HistoryRow row;
      row.iteration = i;
      row.loss = i == 3 ? std::numeric_limits<float>::infinity() : 0.123456789f;
      r.fit.history.push_back(row);
    }
    return r;
  }

  static Json report_of(const Restored& r, const FrameRecorder& recorder,
                        const std::string& input = "in.png") {
    const std::string text = report_json({.task = Task::denoise,
                                          .input = input,
                                          .command = "unmar denoise in.png",
                                          .summary = "finished",
                                          .manifest = R"({"result": {"iterations": 40}})",
                                          .restored = r,
                                          .output = facts_of(r.image),
                                          .after = r.image,
                                          .frames = &recorder});
    const Json json = Json::parse(text, nullptr, false);
    EXPECT_TRUE(json.is_object());
    return json;
  }
};

TEST_F(Frames, AreTheFirstTheLastAndSomeBetween) {
  const std::vector<int> list = FrameRecorder::chosen(3000);
  EXPECT_EQ(list.front(), 0);
  EXPECT_EQ(list.back(), 2999);
  EXPECT_GT(list.size(), 25u);
  EXPECT_LT(list.size(), 34u);
  EXPECT_EQ(FrameRecorder::chosen(1), std::vector<int>{0});
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  std::vector<int> seen;
  for (const ReportFrame& frame : recorder.frames()) seen.push_back(frame.iteration);
  EXPECT_EQ(seen, FrameRecorder::chosen(kIterations));
}

TEST_F(Frames, HoldTheirPicturesButTheFirstHasNoUpdate) {
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  for (const ReportFrame& frame : recorder.frames()) {
    EXPECT_THAT(frame.output, StartsWith("RIFF"));
    EXPECT_THAT(frame.misfit, StartsWith("RIFF"));
    EXPECT_THAT(frame.result, StartsWith("RIFF"));
    EXPECT_EQ(frame.update.empty(), frame.iteration == 0);
    EXPECT_EQ(frame.psnr, 20);
  }
  EXPECT_GT(recorder.frames().back().update_gain, 1);
}

TEST_F(Frames, OfAnInterruptedFitAreThoseOfAWholeOne) {
  FrameRecorder whole(kIterations), first(kIterations), second(kIterations);
  record(whole, 0, kIterations);
  // Iteration 17 is one before a frame, so that what the next one compares with is saved, too.
  const int middle = FrameRecorder::chosen(kIterations)[10];
  record(first, 0, middle);
  Archive saved;
  first.serialize(saved);
  const std::string bytes = saved.take();
  Archive read(bytes, "test");
  second.serialize(read);
  read.expect_end();
  record(second, middle, kIterations);
  ASSERT_EQ(second.frames().size(), whole.frames().size());
  for (std::size_t i = 0; i < whole.frames().size(); ++i) {
    EXPECT_EQ(second.frames()[i].output, whole.frames()[i].output) << i;
    EXPECT_EQ(second.frames()[i].update, whole.frames()[i].update) << i;
  }
}

TEST_F(Frames, InTheReportArePicturesThatAPageCanShow) {
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  const Json json = report_of(restored(), recorder);
  EXPECT_EQ(json["frames"].size(), FrameRecorder::chosen(kIterations).size());
  EXPECT_TRUE(json["frames"][0]["update"].is_null());
  for (const char* name : {"before", "after", "network_input"})
    EXPECT_THAT(json["pictures"][name].get<std::string>(), StartsWith("data:image/webp;base64,"));
  EXPECT_TRUE(json["pictures"]["reference"].is_null());
  EXPECT_TRUE(json["pictures"]["difference"].is_null());
}

TEST_F(Frames, TheReportHasOnlyFiniteNumbersWithFewDigits) {
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  const Json json = report_of(restored(), recorder);
  EXPECT_EQ(json["history"]["loss"].size(), std::size_t{kIterations});
  EXPECT_TRUE(json["history"]["loss"][3].is_null());
  EXPECT_EQ(json["history"]["loss"][0].dump(), "0.123457");
  EXPECT_TRUE(json["history"]["psnr"][0].is_null());
}

TEST_F(Frames, NamesThatWouldBreakAPageDoNot) {
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  const Json json = report_of(restored(), recorder, "</script><b>\xff.png");
  EXPECT_EQ(json["input"], "</script><b>\xEF\xBF\xBD.png");
  const std::string page = report_page(json.dump());
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  EXPECT_THAT(page, StartsWith("<!doctype html>"));
}

TEST_F(Frames, TwoCandidatesHaveAMapOfTheirDifference) {
  FrameRecorder recorder(kIterations);
  record(recorder, 0, kIterations);
  Restored r = restored();
  r.candidates = {{.name = "patches", .image = picture(), .error = 0.01, .weight = 0.7},
                  {.name = "dip", .image = picture(0.4f), .weight = 0.3}};
  const Json json = report_of(r, recorder);
  EXPECT_THAT(json["pictures"]["difference"].get<std::string>(), StartsWith("data:image/webp"));
  EXPECT_NEAR(json["candidates"][0]["hidden_rmse"].get<double>(), 25.5, 1e-9);
  EXPECT_TRUE(json["candidates"][1]["hidden_rmse"].is_null());
}

}  // namespace
}  // namespace unmar
