#include <nlohmann/json.hpp>

#include "runs/support.h"
#include "unmar/runs/refine_run.h"

namespace unmar::runs_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::HasSubstr;

class Request : public RunsTest {};

TEST_F(Request, ComesBackFromItsJson) {
  FitRequest given = request();
  given.task = Task::inpaint;
  given.in.mask = in("mask.png");
  given.in.reading = {.max_megapixels = 12.5, .range = RangeMode::data};
  given.out.report = in("r.html");
  given.cadence = {.snapshot_every = 7, .checkpoint_seconds = 0.25, .keep_every = 3};
  given.options.custom_network = network_options(resolve(Task::denoise, {}));
  const FitRequest read = fit_request_from_json(to_json(given), "test");
  EXPECT_EQ(to_json(read), to_json(given));
  EXPECT_EQ(read.task, Task::inpaint);
  EXPECT_EQ(read.in.mask, in("mask.png"));
  EXPECT_EQ(read.in.reading.range, RangeMode::data);
  EXPECT_EQ(read.in.reading.max_megapixels, 12.5);
  EXPECT_EQ(read.cadence.checkpoint_seconds, 0.25);
  EXPECT_EQ(read.options.channels, 6);
  EXPECT_FALSE(read.options.lr.has_value());
  EXPECT_TRUE(read.in.guide.empty());
}

TEST_F(Request, HoldsAbsolutePathsAndLeavesTheFolderOfTheProcessAlone) {
  FitRequest given = request();
  given.in.picture = "some/picture.png";
  const fs::path before = fs::current_path();
  const FitRequest read = fit_request_from_json(to_json(given), "test");
  EXPECT_EQ(read.in.picture, before / "some/picture.png");
  EXPECT_EQ(fs::current_path(), before);
}

TEST_F(Request, OfAnotherKindIsRefusedWithItsPlace) {
  const auto refuse = [&](const std::string& text, ErrorCode code = ErrorCode::bad_input) {
    return error_of([&] { fit_request_from_json(text, "job 7"); }, code);
  };
  EXPECT_THAT(refuse("[1]"), HasSubstr("job 7"));
  EXPECT_THAT(refuse("{"), HasSubstr("job 7"));
  for (const char* key : {"task", "reads", "writes", "cadence", "options", "network", "range"}) {
    Json json = Json::parse(to_json(request()));
    json.erase(key);
    EXPECT_THAT(refuse(json.dump()), HasSubstr(key));
  }
  Json json = Json::parse(to_json(request()));
  json["options"]["lr"] = -1;
  EXPECT_THAT(refuse(json.dump(), ErrorCode::bad_argument), HasSubstr("lr"));
  json = Json::parse(to_json(request()));
  json["range"] = "some";
  EXPECT_THAT(refuse(json.dump(), ErrorCode::bad_argument), HasSubstr("'some'"));
}

TEST_F(Request, OfARefinementComesBackFromItsJson) {
  RefineRequest given;
  given.task = Task::upscale;
  given.in.picture = in("small.png");
  given.out.result = in("large.png");
  given.out.manifest = in("m.json");
  given.save_prior = in("p.tif");
  given.model = in("model");
  given.model_name = "fashion";
  given.options.restore.factor = 4;
  given.options.from = StartFrom::input;
  given.options.start = 120;
  given.options.eta = 0.25;
  given.options.consistency = Consistency::dps;
  given.cadence.checkpoint_seconds = 5;
  const RefineRequest read = refine_request_from_json(to_json(given), "test");
  EXPECT_EQ(to_json(read), to_json(given));
  EXPECT_EQ(read.out.manifest, in("m.json"));
  EXPECT_EQ(read.save_prior, in("p.tif"));
  EXPECT_TRUE(read.prior_file.empty());
  EXPECT_EQ(read.options.restore.factor, 4);
  EXPECT_EQ(read.options.from, StartFrom::input);
  EXPECT_EQ(read.options.start, 120);
  EXPECT_EQ(read.options.eta, 0.25);
  EXPECT_EQ(read.options.consistency, Consistency::dps);
  EXPECT_FALSE(read.options.overlap.has_value());
  EXPECT_EQ(read.cadence.checkpoint_seconds, 5);
  EXPECT_THAT(error_of([&] { refine_request_from_json("{}", "job 7"); }, ErrorCode::bad_input),
              HasSubstr("job 7"));
}

TEST_F(Request, ANumberThatDoesNotFitIsRefused) {
  for (const char* key : {"page", "quality", "snapshot_every", "keep_every"})
    for (const char* value : {"9.9e104", "1.5", "5000000000", "-1"}) {
      std::string text = to_json(request());
      const std::string before = "\"" + std::string(key) + "\":";
      std::size_t at = text.find(before);
      ASSERT_NE(at, text.npos) << key;
      at = text.find_first_not_of(' ', at + before.size());
      text.replace(at, text.find_first_of(",}\n", at) - at, value);
      EXPECT_THAT(error_of([&] { fit_request_from_json(text, "r"); }, ErrorCode::bad_input),
                  HasSubstr(key));
    }
}

TEST_F(Request, APathThatIsNoTextIsRefused) {
  FitRequest given = request();
  given.in.picture = in("\xff.png");
  EXPECT_THAT(error_of([&] { to_json(given); }, ErrorCode::bad_argument), HasSubstr("UTF-8"));
}

TEST_F(Request, TheCommandLineQuotesWhatAShellWouldTakeApart) {
  FitRequest given;
  given.in.picture = "-it's a \"cat\".png";
  given.out.result = "out.png";
  given.options = {.average = false, .lr = 0.0123456789};
  EXPECT_EQ(command_line(given),
            "unmar denoise './-it'\\''s a \"cat\".png' -o out.png --no-average --lr 0.0123456789 "
            "--seed 0");
}

}  // namespace
}  // namespace unmar::runs_test
