#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "runs/support.h"
#include "unmar/image/pages.h"
#include "unmar/runs/job_list.h"
#include "unmar/runs/pages.h"

namespace unmar::runs_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TiledRun : public RunsTest {
 protected:
  /// Six tiles of 64 px.
  FitRequest tiled(const std::string& name = "a") const {
    FitRequest request = this->request(name, 6);
    Image image(3, 96, 150);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x)
          image.at(c, y, x) = 0.5f + 0.4f * std::sin(0.1f * static_cast<float>(x + c * y));
    write_image(in(name + ".png"), image);
    request.options.tile = "64";
    request.options.engine = "cpu";
    request.out.result = in(name + "_out.png");
    return request;
  }

  struct StopAfterTiles : RunObserver {
    explicit StopAfterTiles(int tiles) : tiles(tiles) {}
    void tiled(const TileProgress& progress) override {
      last = progress;
      if (progress.done >= tiles) source.request_stop();
    }
    int tiles;
    TileProgress last{};
    std::stop_source source;
  };
};

TEST_F(TiledRun, IsTheSameForEveryNumberOfThreads) {
  RunObserver quiet;
  FitRequest request = tiled();
  for (const int threads : {1, 2, 3}) {
    request.options.threads = threads;
    request.out.result = in(fmt::format("{}.png", threads));
    const RunResult result = run(request, nullptr, quiet);
    ASSERT_TRUE(result.tiling);
    EXPECT_EQ(result.tiling->count, 6);
    EXPECT_EQ(result.restored.fit.iterations, 6 * 6);
    EXPECT_GT(*result.restored.psnr, 8);
  }
  EXPECT_EQ(bytes(in("2.png")), bytes(in("1.png")));
  EXPECT_EQ(bytes(in("3.png")), bytes(in("1.png")));
}

TEST_F(TiledRun, LeavesNothingBesideItsResult) {
  RunObserver quiet;
  run(tiled(), nullptr, quiet);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(in(""))) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("."));
    ++files;
  }
  EXPECT_EQ(files, 2);
}

TEST_F(TiledRun, RemovesTheTilesOfRunsThatWereKilledAndNoOthers) {
  const auto left = [&](const std::string& name, const std::string& claim, bool is_old) {
    const fs::path folder = in(".unmar-tiles-" + name);
    fs::create_directory(folder);
    std::ofstream(folder / "0.tile") << "a tile";
    if (claim.empty()) return folder;
    std::ofstream(folder / "run.claim") << claim;
    if (is_old) make_old(folder / "run.claim");
    return folder;
  };
  const std::string alive = fmt::format("{} {}", ::getpid(), killed_process().substr(10));
  const fs::path killed = left("killed", killed_process(), true);
  const std::vector<fs::path> others = {
      left("just-now", killed_process(), false), left("alive", alive, true),
      left("elsewhere", "1 another-machine\n", true), left("unknown", "", true)};
  RunObserver quiet;
  run(tiled(), nullptr, quiet);
  EXPECT_FALSE(fs::exists(killed));
  for (const fs::path& other : others) EXPECT_TRUE(fs::exists(other / "0.tile")) << other;
}

TEST_F(TiledRun, KeepsItsTilesApartFromThoseOfAnotherRunInTheFolder) {
  RunObserver quiet;
  FitRequest a = tiled(), b = tiled("b");
  b.options.seed = 9;
  run(a, nullptr, quiet);
  run(b, nullptr, quiet);
  const std::string a_alone = bytes(in("a_out.png")), b_alone = bytes(in("b_out.png"));
  ASSERT_NE(a_alone, b_alone);
  struct : RunObserver {
    void tiled(const TileProgress&) override {
      if (std::exchange(begun, true)) return;
      RunObserver quiet;
      run(other, nullptr, quiet);
    }
    bool begun = false;
    FitRequest other;
  } meanwhile;
  meanwhile.other = b;
  run(a, nullptr, meanwhile);
  EXPECT_TRUE(meanwhile.begun);
  EXPECT_EQ(bytes(in("a_out.png")), a_alone);
  EXPECT_EQ(bytes(in("b_out.png")), b_alone);
}

TEST_F(TiledRun, StoppedAndResumedGivesTheSameBytes) {
  RunObserver quiet;
  run(tiled(), nullptr, quiet);
  FitRequest part = tiled("b");
  part.options.threads = 1;
  {
    RunStore store(in("part"), "test");
    StopAfterTiles stop(2);
    const RunResult result = run(part, &store, stop, stop.source.get_token());
    EXPECT_EQ(result.restored.fit.stopped_by, StoppedBy::cancelled);
    EXPECT_EQ(result.tiling->tiles.size(), 2);
    EXPECT_FALSE(store.is_finished());
    EXPECT_NE(bytes(in("b_out.png")), bytes(in("a_out.png")));
  }
  RunStore store(in("part"), "test");
  StopAfterTiles never(1000);
  resume(store, {.threads = 2}, never);
  EXPECT_EQ(never.last.done, 6);
  EXPECT_TRUE(store.is_finished());
  EXPECT_EQ(bytes(in("b_out.png")), bytes(in("a_out.png")));
}

TEST_F(TiledRun, BeginsNoTileBehindOneThatCannotBeSaved) {
  FitRequest request = tiled();
  request.options.threads = 1;
  RunStore store(in("kept"), "test");
  fs::create_directories(store.tiles());
  for (int tile = 1; tile < 6; ++tile) {
    const std::string name = fmt::format("{}.tile", tile);
    fs::create_symlink(in("nowhere/" + name), store.tiles() / name);
  }
  struct : RunObserver {
    void tiled(const TileProgress& progress) override { told += progress.done == 1; }
    int told = 0;
  } observer;
  const RunResult result = run(request, &store, observer);
  EXPECT_TRUE(result.tiling->failed);
  EXPECT_EQ(result.tiling->tiles.size(), 1);
  EXPECT_LE(observer.told, 1 + 6) << "the end of the first, then iterations of the second";
}

/// Fails in the second tile of each page.
struct FailsInTheSecondTile : RunObserver {
  void page(int, int) override { told = 0; }
  void tiled(const TileProgress& progress) override {
    if (progress.done == 1 && ++told == 2) throw std::runtime_error("no luck");
  }
  void warned(const std::string& text) override { warnings += text + '\n'; }
  int told = 0;
  std::string warnings;
};

/// Has no memory for the second page.
struct LacksMemory : RunObserver {
  void page(int number, int) override { second = number == 2; }
  void started(const RunStart&) override {
    if (second) throw std::bad_alloc();
  }
  void warned(const std::string& text) override { warning = text; }
  std::string warning;
  bool second = false;
};

class TiledPages : public TiledRun {
 protected:
  FitRequest stack() const {
    FitRequest request = tiled();
    const Image page = read_image(request.in.picture);
    write_pages(in("stack.tif"), {page, page, page}, request.in.picture);
    request.in.picture = in("stack.tif");
    request.in.reference.clear();
    request.out.result = in("stack_out.tif");
    request.options.threads = 1;
    return request;
  }
};

TEST_F(TiledPages, ATileThatFailsEndsNeitherItsPageNorTheOthers) {
  FailsInTheSecondTile observer;
  const PagesResult result = run_pages(stack(), {1, 2, 3}, observer);
  EXPECT_EQ(result.restored, 3);
  EXPECT_FALSE(result.cancelled);
  EXPECT_TRUE(result.failed);
  EXPECT_TRUE(result.kept.empty());
  EXPECT_THAT(observer.warnings, HasSubstr("no luck; the tiles that failed stay as they came"));
}

TEST_F(TiledPages, OneWithoutTheMemoryForItStaysAsItCame) {
  LacksMemory observer;
  const PagesResult result = run_pages(stack(), {1, 2, 3}, observer);
  EXPECT_EQ(result.restored, 2);
  EXPECT_EQ(result.kept, std::vector<int>{2});
  EXPECT_EQ(observer.warning, "page 2 stays as it is: not enough memory");
  EXPECT_TRUE(result.failed);
  EXPECT_EQ(count_pages(in("stack_out.tif")), 3);
}

TEST_F(TiledRun, KeepsTheKnownPixelsExactly) {
  RunObserver quiet;
  FitRequest request = tiled();
  request.task = Task::inpaint;
  Image mask(1, 96, 150, 1.f);
  for (int y = 10; y < 20; ++y)
    for (int x = 100; x < 140; ++x) mask.at(0, y, x) = 0.f;
  write_image(in("mask.png"), mask);
  request.in.mask = in("mask.png");
  const RunResult result = run(request, nullptr, quiet);
  // The hole lies in the two tiles of the upper right.
  EXPECT_EQ(std::ranges::count_if(result.tiling->tiles, &TileFacts::had_work), 2);
  const Image before = read_image(in("a.png")), after = read_image(in("a_out.png"));
  std::size_t changed = 0;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 96; ++y)
      for (int x = 0; x < 150; ++x) {
        const bool same = before.at(c, y, x) == after.at(c, y, x);
        ASSERT_TRUE(same || mask.at(0, y, x) == 0.f);
        changed += !same;
      }
  EXPECT_GT(changed, 500);
}

TEST_F(TiledRun, SaysBeforehandWhatItWillTake) {
  struct Started : RunObserver {
    void started(const RunStart& start) override { estimate = start.tiles->estimate; }
    std::optional<TileEstimate> estimate;
  };
  FitRequest request = tiled();
  Image large(1, 220, 340, 0.5f), mask(1, 220, 340, 1.f);
  for (int x = 300; x < 320; ++x) mask.at(0, 10, x) = 0.f;
  write_image(in("large.png"), large);
  write_image(in("mask.png"), mask);
  request.task = Task::inpaint;
  request.in = {};
  request.in.picture = in("large.png");
  request.in.mask = in("mask.png");
  Started of_many;
  const RunResult result = run(request, nullptr, of_many);
  ASSERT_GE(result.tiling->count, 20);
  ASSERT_TRUE(of_many.estimate);
  EXPECT_EQ(of_many.estimate->tiles, result.tiling->count);
  EXPECT_GT(of_many.estimate->core_seconds, 0) << "the tile in the middle has nothing to do";
  EXPECT_GT(of_many.estimate->memory, 0u);
  EXPECT_EQ(estimate_tile(request).memory, of_many.estimate->memory);
  Started of_few;
  run(tiled(), nullptr, of_few);
  EXPECT_FALSE(of_few.estimate) << "it would take longer than the work";
}

TEST_F(TiledRun, EnlargesTileByTile) {
  RunObserver quiet;
  FitRequest request = tiled();
  request.task = Task::upscale;
  request.in.reference.clear();
  request.options.method.reset();
  request.options.factor = 2;
  request.options.tile = "100";
  const RunResult result = run(request, nullptr, quiet);
  EXPECT_GT(result.tiling->count, 4);
  const Image large = read_image(in("a_out.png"));
  EXPECT_EQ(large.width(), 300);
  EXPECT_EQ(large.height(), 192);
}

TEST_F(TiledRun, ShowsAPreview) {
  RunObserver quiet;
  FitRequest request = tiled();
  request.out.preview = in("preview.png");
  run(request, nullptr, quiet);
  const Image preview = read_image(in("preview.png"));
  EXPECT_EQ(preview.width(), 150);
  EXPECT_GT(psnr(preview, read_image(request.out.result)),
            psnr(preview, read_image(in("a.png"))) + 5);
}

TEST_F(TiledRun, AReportShowsWhereEachTileEnded) {
  RunObserver quiet;
  RunStore store(in("kept"), "test");
  FitRequest request = tiled();
  request.out.report = in("report.html");
  {
    StopAfterTiles stop(2);
    run(request, &store, stop, stop.source.get_token());
  }
  const Json cut = Json::parse(bytes(store.report()));
  ASSERT_EQ(cut["tiles"].size(), 6u);
  EXPECT_EQ(std::ranges::count_if(cut["tiles"], [](const Json& t) { return t["done"] == true; }),
            static_cast<std::ptrdiff_t>(cut["manifest"]["result"]["tiling"]["done"]));
  resume(store, {}, quiet);
  const Json whole = Json::parse(bytes(store.report()));
  int right = 0, bottom = 0;
  for (const Json& tile : whole["tiles"]) {
    EXPECT_EQ(tile["done"], true);
    EXPECT_GT(tile["iterations"], 0);
    right = std::max(right, int{tile["x"]} + int{tile["width"]});
    bottom = std::max(bottom, int{tile["y"]} + int{tile["height"]});
  }
  EXPECT_EQ(right, whole["width"]);
  EXPECT_EQ(bottom, whole["height"]);
  EXPECT_NE(whole["pictures"]["before"], whole["pictures"]["after"]);
  EXPECT_NE(cut["pictures"]["after"], whole["pictures"]["after"]);
  EXPECT_EQ(cut["pictures"]["before"], whole["pictures"]["before"]);
  EXPECT_TRUE(whole["frames"].empty());
  EXPECT_THAT(bytes(in("report.html")), HasSubstr("\"tiles\":[{"));
}

TEST_F(TiledRun, AResumedPreviewShowsTheTilesThatWereDone) {
  const auto preview_after = [&](const std::string& name, int tiles) {
    FitRequest request = tiled();
    request.out.preview = in("preview.png");
    RunStore store(in(name), "test");
    StopAfterTiles stop(tiles);
    run(request, &store, stop, stop.source.get_token());
    resume(store, {}, stop);
    return read_image(in("preview.png"));
  };
  RunObserver quiet;
  FitRequest request = tiled();
  request.out.preview = in("whole.png");
  run(request, nullptr, quiet);
  EXPECT_GT(psnr(preview_after("a", 2), read_image(in("whole.png"))), 60);
}

TEST_F(TiledRun, AClaimThatAnotherMachineLeftKeepsNothingFromResuming) {
  RunObserver quiet;
  {
    RunStore store(in("part"), "test");
    StopAfterTiles stop(1);
    run(tiled(), &store, stop, stop.source.get_token());
    fs::remove(store.tiles() / "start.bin");
    std::ofstream(store.tiles() / "start.claim") << "1 another-machine\n";
  }
  RunStore store(in("part"), "test");
  EXPECT_EQ(resume(store, {}, quiet).tiling->tiles.size(), 6);
}

TEST_F(TiledRun, APreviewThatCannotBeWrittenIsAWarning) {
  struct Warnings : RunObserver {
    void warned(const std::string& text) override { list.push_back(text); }
    void started(const RunStart&) override { fs::remove_all(folder); }
    std::vector<std::string> list;
    fs::path folder;
  } warnings;
  FitRequest request = tiled();
  fs::create_directory(in("gone"));
  warnings.folder = in("gone");
  request.out.preview = in("gone/preview.png");
  EXPECT_EQ(run(request, nullptr, warnings).tiling->tiles.size(), 6);
  EXPECT_EQ(warnings.list.size(), 1);
  EXPECT_TRUE(fs::exists(in("a_out.png")));
}

TEST_F(TiledRun, AReferenceOfAnotherSizeIsRefusedBeforeTheWork) {
  FitRequest request = tiled();
  write_image(in("small.png"), Image(3, 20, 20, 0.5f));
  request.in.reference = in("small.png");
  struct : RunObserver {
    void started(const RunStart&) override { ADD_FAILURE(); }
  } observer;
  EXPECT_THAT(error_of([&] { run(request, nullptr, observer); }, ErrorCode::bad_input),
              HasSubstr("`reference`: it is 20x20 px"));
}

TEST_F(TiledRun, RefusesWhatShowsOneFit) {
  RunObserver quiet;
  FitRequest request = tiled();
  request.out.history = in("history.csv");
  EXPECT_THAT(error_of([&] { run(request, nullptr, quiet); }, ErrorCode::bad_argument),
              HasSubstr("`history`: shows one fit, but the picture is restored in 6 tiles"));
  request = tiled();
  request.options.tile = "12";
  EXPECT_THAT(error_of([&] { run(request, nullptr, quiet); }, ErrorCode::bad_argument),
              HasSubstr("`tile` must be auto, none or a side of at least 64 px"));
}

TEST_F(TiledRun, PicturesOfAMegapixelAreOnePiece) {
  RunObserver quiet;
  FitRequest request = this->request();
  EXPECT_FALSE(run(request, nullptr, quiet).tiling);
  EXPECT_EQ(tile_side(Task::denoise, 1000, 1000, resolve(Task::denoise, {})), 0);
  EXPECT_EQ(tile_side(Task::denoise, 1001, 1000, resolve(Task::denoise, {})), 160);
}

}  // namespace
}  // namespace unmar::runs_test
