#include "unmar/runs/queue.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "runs/support.h"

namespace unmar::runs_test {
namespace {

using testing::HasSubstr;

class Queue : public RunsTest {
 protected:
  /// Waits until the job has done some iterations.
  static void wait_for_iterations(const JobQueue& queue, std::uint64_t id, int iterations) {
    while (queue.info(id).iteration < iterations && queue.info(id).state != JobState::failed)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  static constexpr int kForever = 1'000'000;
};

/// How many runs are between their start and their end at the same time.
class Together : public RunObserver {
 public:
  explicit Together(std::atomic<int>& now, std::atomic<int>& most) : now_(now), most_(most) {}
  void started(const RunStart&) override {
    const int now = ++now_;
    int most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void writing() override { --now_; }

 private:
  std::atomic<int>&now_, &most_;
};

TEST_F(Queue, TwoRunsInOneProcessDoNotDisturbEachOther) {
  RunObserver quiet;
  for (const char* name : {"a", "b"}) {
    FitRequest alone = request(name, 60, name[0]);
    alone.out.result = in(std::string(name) + "_alone.tif");
    run(alone, nullptr, quiet);
  }
  std::atomic<int> now = 0, most = 0;
  JobQueue queue({.threads = 2, .memory = std::size_t{1} << 30});
  const auto a =
      queue.submit(request("a", 60, 'a'), in("a_run"), std::make_shared<Together>(now, most));
  const auto b =
      queue.submit(request("b", 60, 'b'), in("b_run"), std::make_shared<Together>(now, most));
  EXPECT_EQ(queue.wait(a).state, JobState::done) << queue.info(a).error;
  EXPECT_EQ(queue.wait(b).state, JobState::done) << queue.info(b).error;
  EXPECT_EQ(bytes(in("a_out.tif")), bytes(in("a_alone.tif")));
  EXPECT_EQ(bytes(in("b_out.tif")), bytes(in("b_alone.tif")));
  EXPECT_NE(bytes(in("a_out.tif")), bytes(in("b_out.tif")));
  EXPECT_EQ(most, 2);
  EXPECT_EQ(queue.info(a).iteration, 60);
  EXPECT_TRUE(queue.info(a).psnr.has_value());
}

TEST_F(Queue, ThreadsAreSharedOutInOrder) {
  std::atomic<int> now = 0, most = 0;
  JobQueue queue({.threads = 2, .memory = std::size_t{1} << 30});
  std::vector<std::uint64_t> ids;
  for (const int threads : {2, 1, 1}) {
    FitRequest r = request(fmt::format("a{}", ids.size()));
    r.options.threads = threads;
    ids.push_back(queue.submit(r, {}, std::make_shared<Together>(now, most)));
  }
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 2, 3}));
  for (const auto id : ids) EXPECT_EQ(queue.wait(id).state, JobState::done);
  EXPECT_LE(most, 2);
  FitRequest greedy = request("b");
  greedy.options.threads = 99;
  EXPECT_EQ(queue.info(queue.submit(greedy)).threads, 2);
}

TEST_F(Queue, APausedJobGoesOnToTheSameBytes) {
  RunObserver quiet;
  FitRequest alone = request("a", 400);
  alone.out.result = in("alone.tif");
  run(alone, nullptr, quiet);
  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  const auto id = queue.submit(request("a", 400), in("run"));
  wait_for_iterations(queue, id, 20);
  queue.pause(id);
  const JobInfo paused = queue.wait(id);
  ASSERT_EQ(paused.state, JobState::paused) << paused.error;
  EXPECT_LT(paused.iteration, 400);
  queue.resume(id);
  ASSERT_EQ(queue.wait(id).state, JobState::done) << queue.info(id).error;
  EXPECT_EQ(bytes(in("a_out.tif")), bytes(in("alone.tif")));
  EXPECT_THAT(error_of([&] { queue.pause(id); }, ErrorCode::bad_argument), HasSubstr("is done"));
  EXPECT_THAT(error_of([&] { queue.resume(id); }, ErrorCode::bad_argument),
              HasSubstr("not paused"));
}

TEST_F(Queue, AWaitingJobCanBePausedAndCancelled) {
  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  const auto first = queue.submit(request("a", kForever), in("first"));
  const auto second = queue.submit(request("b"), in("second"));
  const auto third = queue.submit(request("c"));
  EXPECT_EQ(queue.info(second).state, JobState::queued);
  queue.pause(second);
  EXPECT_EQ(queue.wait(second).state, JobState::paused);
  queue.cancel(third);
  EXPECT_EQ(queue.wait(third).state, JobState::cancelled);
  wait_for_iterations(queue, first, 1);
  queue.cancel(first);
  EXPECT_EQ(queue.wait(first).state, JobState::cancelled);
  EXPECT_TRUE(std::filesystem::exists(in("a_out.tif")));  // the best so far
  queue.resume(second);
  EXPECT_EQ(queue.wait(second).state, JobState::done);
  EXPECT_FALSE(std::filesystem::exists(in("c_out.tif")));
}

TEST_F(Queue, AJobThatFailsSaysWhyAndLetsTheNextOneRun) {
  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  FitRequest bad = request("a");
  bad.in.reference = in("nowhere.png");
  const auto first = queue.submit(bad);
  const auto second = queue.submit(request("b"));
  EXPECT_EQ(queue.wait(first).state, JobState::failed);
  EXPECT_THAT(queue.info(first).error, HasSubstr("nowhere.png"));
  EXPECT_EQ(queue.wait(second).state, JobState::done);
}

TEST_F(Queue, WhatCannotBeDoneIsRefusedAtOnce) {
  JobQueue queue({.threads = 1, .memory = 100});
  EXPECT_THAT(error_of([&] { queue.submit(request()); }, ErrorCode::too_large), HasSubstr("MiB"));
  FitRequest wrong = request();
  wrong.options.lr = -1;
  EXPECT_THAT(error_of([&] { queue.submit(wrong); }, ErrorCode::bad_argument), HasSubstr("lr"));
  FitRequest nothing = request();
  nothing.in.picture = in("nowhere.png");
  error_of([&] { queue.submit(nothing); }, ErrorCode::io);
  EXPECT_THAT(error_of([&] { queue.info(1); }, ErrorCode::bad_argument), HasSubstr("no job 1"));
  JobQueue large({.threads = 1, .memory = std::size_t{1} << 30});
  const auto id = large.submit(request("a", kForever));
  EXPECT_THAT(error_of([&] { large.pause(id); }, ErrorCode::bad_argument), HasSubstr("folder"));
}

TEST_F(Queue, ThatEndsStopsWhatRuns) {
  {
    JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
    const auto id = queue.submit(request("a", kForever), in("run"));
    queue.submit(request("b", kForever), in("run2"));
    wait_for_iterations(queue, id, 2);
  }
  EXPECT_FALSE(std::filesystem::exists(in("run2")));
  RunStore store(in("run"), "test");
  EXPECT_FALSE(store.is_finished());
  EXPECT_TRUE(std::filesystem::exists(store.checkpoint()));
}

}  // namespace
}  // namespace unmar::runs_test
