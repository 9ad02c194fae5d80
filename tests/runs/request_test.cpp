#include <nlohmann/json.hpp>

#include "runs/support.h"

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
  EXPECT_THAT(refuse(json.dump()), HasSubstr("'some'"));
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
