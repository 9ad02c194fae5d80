#include <nlohmann/json.hpp>

#include "runs/support.h"
#include "unmar/report/report.h"

namespace unmar::runs_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::HasSubstr;

class Running : public RunsTest {};

TEST_F(Running, IsToldInOrder) {
  struct Notes : RunObserver {
    std::vector<std::string> list;
    void started(const RunStart& start) override {
      list.push_back(start.resumed ? "resumed" : "started");
    }
    void progressed(const FitProgress& p) override {
      if (p.row.iteration % 10 == 0) list.push_back(std::to_string(p.row.iteration));
    }
    void writing() override { list.push_back("writing"); }
    void finished(const FitRequest&, const RunResult&) override { list.push_back("finished"); }
  } notes;
  const RunResult result = run(request(), nullptr, notes);
  EXPECT_THAT(notes.list, testing::ElementsAre("started", "0", "10", "20", "writing", "finished"));
  EXPECT_EQ(result.restored.fit.iterations, 30);
  EXPECT_GT(*result.restored.psnr, 5);
  EXPECT_TRUE(fs::exists(in("a_out.tif")));
  EXPECT_FALSE(fs::exists(in("manifest.json")));
}

TEST_F(Running, StoppedAndResumedGivesTheSameBytes) {
  RunObserver quiet;
  FitRequest whole = request();
  RunStore whole_store(in("whole"), "test");
  run(whole, &whole_store, quiet);
  FitRequest part = request();
  part.out.result = in("b_out.tif");
  {
    RunStore store(in("part"), "test");
    StopAfter stop(11);
    const RunResult result = run(part, &store, stop, stop.source.get_token());
    EXPECT_EQ(result.restored.fit.stopped_by, StoppedBy::cancelled);
    EXPECT_EQ(result.restored.fit.iterations, 11);
    EXPECT_FALSE(store.is_finished());
  }
  RunStore store(in("part"), "test");
  resume(store, {}, quiet);
  EXPECT_TRUE(store.is_finished());
  EXPECT_EQ(bytes(in("b_out.tif")), bytes(in("a_out.tif")));
  EXPECT_EQ(bytes(store.history()), bytes(whole_store.history()));
  const auto frames = [](const RunStore& s) { return Json::parse(bytes(s.report()))["frames"]; };
  EXPECT_EQ(frames(store), frames(whole_store));
  EXPECT_THAT(error_of([&] { resume(store, {}, quiet); }, ErrorCode::bad_argument),
              HasSubstr("is finished"));
}

TEST_F(Running, WithoutACheckpointYetResumesFromTheBeginning) {
  FitRequest r = request();
  RunObserver quiet;
  run(r, nullptr, quiet);
  const std::string expected = bytes(r.out.result);
  r.cadence.checkpoint_seconds = 1e6;
  {
    RunStore store(in("s"), "test");
    std::stop_source stop;
    struct Late : RunObserver {
      std::stop_source* stop;
      void started(const RunStart&) override { stop->request_stop(); }
    } late;
    late.stop = &stop;
    std::filesystem::remove(r.out.result);
    EXPECT_THAT(error_of([&] { run(r, &store, late, stop.get_token()); }, ErrorCode::cancelled),
                HasSubstr("within its first iteration"));
    EXPECT_FALSE(std::filesystem::exists(r.out.result));
  }
  RunStore store(in("s"), "test");
  resume(store, {}, quiet);
  EXPECT_EQ(bytes(r.out.result), expected);
}

TEST_F(Running, AStoreHoldsWhatAPageShows) {
  RunObserver quiet;
  FitRequest r = request();
  r.out.report = in("r.html");
  RunStore store(in("s"), "test");
  run(r, &store, quiet);
  const std::string report = bytes(store.report());
  EXPECT_EQ(report_page(report), bytes(in("r.html")));
  const Json json = Json::parse(report);
  EXPECT_EQ(json["history"]["loss"].size(), 30u);
  EXPECT_EQ(json["manifest"]["result"]["iterations"], 30);
}

TEST_F(Running, AnObserverThatThrowsEndsTheRunAndLeavesNoResult) {
  struct Angry : RunObserver {
    void progressed(const FitProgress&) override { throw std::runtime_error("enough"); }
  } angry;
  EXPECT_THROW(run(request(), nullptr, angry), std::runtime_error);
  EXPECT_FALSE(fs::exists(in("a_out.tif")));
}

TEST_F(Running, PickTakesAnEarlierIteration) {
  RunObserver quiet;
  FitRequest r = request();
  r.cadence.keep_every = 10;
  RunStore store(in("s"), "test");
  run(r, &store, quiet);
  EXPECT_EQ(store.kept(), (std::vector<int>{0, 10, 20, 29}));
  write_image(in("last.tif"), pick(store, 29));
  write_image(in("early.tif"), pick(store, 10));
  EXPECT_EQ(bytes(in("last.tif")), bytes(r.out.result));
  EXPECT_NE(bytes(in("early.tif")), bytes(r.out.result));
}

}  // namespace
}  // namespace unmar::runs_test
