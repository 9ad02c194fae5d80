#include "unmar/runs/job_list.h"

#include <thread>

#include "runs/support.h"
#include "unmar/image/pages.h"

namespace unmar::runs_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class JobLists : public RunsTest {
 protected:
  /// One picture of four tiles, and one that is a single one.
  std::vector<FitRequest> requests() const {
    std::vector<FitRequest> list;
    for (const auto& [name, height, width] : {std::tuple{"a", 100, 110}, {"b", 30, 40}}) {
      FitRequest request = this->request(name, 4);
      Image image(1, height, width);
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
          image.at(0, y, x) = 0.5f + 0.4f * std::sin(0.1f * static_cast<float>(x + 2 * y));
      write_image(in(std::string(name) + ".png"), image);
      request.in.reference.clear();
      request.out.result = in(std::string(name) + "_out.png");
      request.options.tile = "64";
      request.options.engine = "cpu";
      list.push_back(request);
    }
    return list;
  }

  /// The two pages of one file, of four tiles each.
  std::vector<FitRequest> pages() const {
    FitRequest request = requests().front();
    const Image page = read_image(request.in.picture);
    write_pages(in("stack.tif"), {page, page}, request.in.picture);
    request.in.picture = in("stack.tif");
    request.out.result = in("stack_out.tif");
    std::vector<FitRequest> list(2, request);
    for (std::size_t i = 0; i < list.size(); ++i) list[i].in.reading.page = static_cast<int>(i) + 1;
    return list;
  }

  void replace(const std::string& what, const std::string& by) const {
    std::string text = bytes(in("jobs.json"));
    const std::size_t at = text.find(what);
    ASSERT_NE(at, text.npos);
    std::ofstream(in("jobs.json")) << text.replace(at, what.size(), by);
  }

  struct Notes : JobObserver {
    void warned(const std::string& text) override { warnings += text + '\n'; }
    std::string warnings;
  };
};

TEST_F(JobLists, GiveWhatRunsGive) {
  RunObserver quiet;
  Notes notes;
  for (const FitRequest& request : requests()) run(request, nullptr, quiet);
  const std::string a = bytes(in("a_out.png")), b = bytes(in("b_out.png"));
  fs::remove(in("a_out.png"));
  fs::remove(in("b_out.png"));
  plan_jobs(in("jobs.json"), requests());
  const JobList list = read_jobs(in("jobs.json"));
  EXPECT_EQ(list.tiles(), 5);
  {
    std::vector<std::jthread> workers;
    for (int part = 1; part <= 3; ++part)
      workers.emplace_back([&list, part] {
        JobObserver silent;
        work_on(list, {part, 3}, 1, silent);
      });
  }
  const JoinResult joined = join_jobs(list, notes);
  EXPECT_EQ(joined.written, 2);
  EXPECT_EQ(joined.missing + joined.failed, 0);
  EXPECT_EQ(bytes(in("a_out.png")), a);
  EXPECT_EQ(bytes(in("b_out.png")), b);
  // What is done stays done.
  EXPECT_EQ(work_on(list, {}, 1, notes).done_here, 0);
  EXPECT_EQ(join_jobs(list, notes).written, 2);
  EXPECT_EQ(notes.warnings, "");
}

TEST_F(JobLists, AShareHelpsTheOthersAndWhatIsMissingIsCounted) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), requests());
  struct StopAfterOne : Notes {
    void progressed(const JobProgress&) override { source.request_stop(); }
    std::stop_source source;
  } stop;
  EXPECT_EQ(work_on(list, {2, 2}, 1, stop, stop.source.get_token()).done_here, 1);
  JoinResult joined = join_jobs(list, notes);
  EXPECT_EQ(joined.missing, 4);
  EXPECT_FALSE(fs::exists(in("a_out.png")));
  EXPECT_EQ(work_on(list, {2, 2}, 1, notes).left, 0);
  joined = join_jobs(list, notes);
  EXPECT_EQ(joined.missing, 0);
  EXPECT_TRUE(fs::exists(in("a_out.png")));
}

TEST_F(JobLists, AFinishedShareIsNotLookedAtAgainUntilAJoinMissesSomething) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), requests());
  EXPECT_EQ(work_on(list, {1, 2}, 1, notes).left, 0);
  EXPECT_TRUE(fs::exists(list.folder() / "1-of-2.share"));
  EXPECT_TRUE(fs::exists(list.folder() / "2-of-2.share"));
  const fs::path taken_away = list.folder(0) / "1.tile";
  ASSERT_TRUE(fs::remove(taken_away));
  EXPECT_EQ(work_on(list, {1, 2}, 1, notes).done_here, 0);
  EXPECT_EQ(join_jobs(list, notes).missing, 1);
  EXPECT_EQ(work_on(list, {1, 2}, 1, notes).done_here, 1);
  EXPECT_EQ(join_jobs(list, notes).missing, 0);
}

TEST_F(JobLists, AMissingPictureDoesNotKeepTheOthersFromIt) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), requests());
  fs::remove(in("a.png"));
  const WorkResult result = work_on(list, {}, 1, notes);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(result.left, 4);
  EXPECT_THAT(notes.warnings, HasSubstr("a.png"));
  EXPECT_EQ(join_jobs(list, notes).written, 1);
}

TEST_F(JobLists, AChangedPictureIsRefused) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), requests());
  write_image(in("b.png"), Image(1, 30, 40, 0.5f));
  EXPECT_EQ(work_on(list, {}, 1, notes).failed, 1);
  EXPECT_THAT(notes.warnings, HasSubstr("the input of '" + in("b.png").string() +
                                        "' is not the one that was planned"));
}

TEST_F(JobLists, OfAnotherVersionOrChangedByHandAreRefused) {
  plan_jobs(in("jobs.json"), requests());
  EXPECT_THAT(error_of([&] { plan_jobs(in("jobs.json"), requests()); }, ErrorCode::bad_argument),
              HasSubstr("is there already"));
  const std::string good = bytes(in("jobs.json"));
  replace("\"unmar\": \"", "\"unmar\": \"9");
  EXPECT_THAT(error_of([&] { read_jobs(in("jobs.json")); }, ErrorCode::unsupported),
              HasSubstr("was planned by unmar 9"));
  std::ofstream(in("jobs.json")) << good;
  replace("\"tiles\": 4", "\"tiles\": \"four\"");
  EXPECT_THAT(error_of([&] { read_jobs(in("jobs.json")); }, ErrorCode::bad_input),
              HasSubstr("is none, or was changed"));
  std::ofstream(in("jobs.json")) << good.substr(0, good.size() / 2);
  error_of([&] { read_jobs(in("jobs.json")); }, ErrorCode::bad_input);
}

TEST_F(JobLists, TwoJoinsAtOnceAreOneTooMany) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), requests());
  const FolderLock lock(list.folder(), "test");
  error_of([&] { join_jobs(list, notes); }, ErrorCode::io);
}

TEST_F(JobLists, AJoinThatIsKilledBetweenPagesIsMadeGoodByTheNext) {
  Notes notes;
  const JobList list = plan_jobs(in("jobs.json"), pages());
  work_on(list, {}, 2, notes);
  const auto keep_tiles = [&] { fs::copy(list.folder(), in("kept"), fs::copy_options::recursive); };
  const auto put_back = [&](std::size_t page) {
    fs::remove_all(list.folder(page));
    fs::copy(in("kept") / list.folder(page).filename(), list.folder(page),
             fs::copy_options::recursive);
  };
  keep_tiles();
  EXPECT_EQ(join_jobs(list, notes).written, 1);
  const std::string whole = bytes(in("stack_out.tif"));
  // Killed between the two marks: no tile is gone yet.
  put_back(0);
  put_back(1);
  std::ofstream(list.folder(0) / "joined") << "";
  EXPECT_EQ(join_jobs(list, notes).written, 1);
  EXPECT_EQ(bytes(in("stack_out.tif")), whole);
  EXPECT_FALSE(fs::exists(list.folder(0) / "0.tile"));
  // The first page's tiles are gone, the second is not marked.
  put_back(1);
  EXPECT_EQ(join_jobs(list, notes).missing, 4);
  EXPECT_EQ(bytes(in("stack_out.tif")), whole) << "the input in place of the first page";
  EXPECT_EQ(work_on(list, {}, 2, notes).done_here, 4);
  EXPECT_EQ(join_jobs(list, notes).written, 1);
  EXPECT_EQ(bytes(in("stack_out.tif")), whole);
  EXPECT_EQ(notes.warnings, "");
}

TEST_F(JobLists, ANewListUnderAnOldNameDoesNotTakeItsTiles) {
  Notes notes;
  work_on(plan_jobs(in("jobs.json"), requests()), {}, 2, notes);
  fs::remove(in("jobs.json"));
  EXPECT_THAT(error_of([&] { plan_jobs(in("jobs.json"), requests()); }, ErrorCode::bad_argument),
              HasSubstr("jobs.json.work' holds the tiles of an earlier list"));
  EXPECT_FALSE(fs::exists(in("jobs.json")));
  fs::remove_all(in("jobs.json.work"));
  EXPECT_EQ(work_on(plan_jobs(in("jobs.json"), requests()), {}, 2, notes).done_here, 5);
}

TEST_F(JobLists, AResultThatItsFileCannotHoldIsRefusedByThePlan) {
  std::vector<FitRequest> two = pages();
  for (FitRequest& page : two) page.out.result = in("stack_out.png");
  EXPECT_THAT(error_of([&] { plan_jobs(in("jobs.json"), two); }, ErrorCode::bad_argument),
              HasSubstr("would have to hold several pictures"));
  std::vector<FitRequest> one = {requests().front()};
  write_image(in("five.tif"), Image(5, 30, 40, 0.5f));
  one[0].in.picture = in("five.tif");
  EXPECT_THAT(error_of([&] { plan_jobs(in("jobs.json"), one); }, ErrorCode::bad_argument),
              HasSubstr("a_out.png"));
  EXPECT_FALSE(fs::exists(in("jobs.json")));
}

TEST_F(JobLists, AreHandedToSlurmWithTimeAndMemory) {
  const JobList list = plan_jobs(in("jobs.json"), requests());
  const std::string script = slurm_script(
      list, 4, 2, {.tiles = 4, .core_seconds = 900, .memory = 1 << 28, .picture = 1 << 20},
      {"--partition=long", "--comment=two words"}, "/usr/bin/unmar");
  EXPECT_THAT(script, HasSubstr("--array=1-4 --cpus-per-task=2"));
  EXPECT_THAT(script, HasSubstr("--time=30 --partition=long '--comment=two words'"));
  EXPECT_THAT(script, HasSubstr("--part $SLURM_ARRAY_TASK_ID/4 --threads 2"));
  EXPECT_THAT(script, HasSubstr("--dependency=afterany:$job"));
}

}  // namespace
}  // namespace unmar::runs_test
