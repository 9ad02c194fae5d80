#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "runs/support.h"
#include "tiny_model.h"
#include "unmar/runs/queue.h"

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
  void started(const RunStart&) override { enter(); }
  void enter() {
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

/// A tiny model in a folder, and a refinement of a picture by it.
RefineRequest refinement(const FitRequest& fit, const std::filesystem::path& model) {
  write_diffusers(model, test::tiny_model());
  RefineRequest refine;
  refine.task = fit.task;
  refine.in = fit.in;
  refine.out = fit.out;
  refine.options.restore = fit.options;
  refine.options.steps = 6;
  refine.model = model;
  refine.cadence = fit.cadence;
  return refine;
}

/// Of a tiny U-Net on pictures of 8x8 px.
TrainingRequest training(const std::filesystem::path& pictures,
                         const std::filesystem::path& output) {
  std::filesystem::create_directories(pictures);
  for (int i = 0; i < 4; ++i) {
    Image image(1, 8, 8, 0.1f * static_cast<float>(i));
    image.at(0, i, 3) = 1.f;
    write_image(pictures / fmt::format("{}.png", i), image);
  }
  TrainingRequest request;
  request.images = pictures;
  request.size = 8;
  request.gray = true;
  request.block_out_channels = {8};
  request.layers_per_block = 1;
  request.norm_num_groups = 4;
  request.attention = {0};  // nowhere
  request.iterations = 30;
  request.batch = 4;
  request.warm_up = 5;
  request.output = output;
  request.threads = 1;
  request.checkpoint_every = 0;
  return request;
}

/// Of a tiny GAN on the same pictures.
GanTrainingRequest gan_training(const TrainingRequest& like, const std::filesystem::path& output) {
  GanTrainingRequest request;
  request.images = like.images;
  request.size = 8;
  request.gray = true;
  request.latent = 5;
  request.width = 4;
  request.kernel = 3;
  request.iterations = like.iterations;
  request.batch = 2;
  request.output = output;
  request.threads = 1;
  request.checkpoint_every = 0;
  return request;
}

class TogetherRefining : public RefineObserver {
 public:
  explicit TogetherRefining(std::atomic<int>& now, std::atomic<int>& most) : with_(now, most) {}
  void started(const RefineRequest&, bool) override { with_.enter(); }
  void writing() override { with_.writing(); }

 private:
  Together with_;
};

class TogetherTraining : public TrainingObserver {
 public:
  explicit TogetherTraining(std::atomic<int>& now, std::atomic<int>& most) : with_(now, most) {}
  void started(const TrainingStart&) override { with_.enter(); }
  void writing() override { with_.writing(); }

 private:
  Together with_;
};

constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";

TEST_F(Queue, AFitARefinementAndATrainingGiveTheSameBytesTogetherAsAlone) {
  RunObserver quiet;
  RefineObserver quiet_refine;
  TrainingObserver quiet_training;
  const FitRequest fit = request("a", 60);
  const RefineRequest refine = refinement(request("b", 40), in("model"));
  const TrainingRequest train = training(in("pictures"), in("trained"));
  FitRequest fit_alone = fit;
  RefineRequest refine_alone = refine;
  TrainingRequest train_alone = train;
  fit_alone.out.result = in("a_alone.tif");
  refine_alone.out.result = in("b_alone.tif");
  train_alone.output = in("trained_alone");
  run(fit_alone, nullptr, quiet);
  run(refine_alone, {}, quiet_refine);
  run(train_alone, quiet_training);

  std::atomic<int> now = 0, most = 0;
  JobQueue queue({.threads = 3, .memory = std::size_t{1} << 30});
  const auto a = queue.submit(fit, in("a_run"), std::make_shared<Together>(now, most));
  const auto b = queue.submit(refine, in("b_run"), std::make_shared<TogetherRefining>(now, most));
  const auto c = queue.submit(train, std::make_shared<TogetherTraining>(now, most));
  for (const auto id : {a, b, c})
    EXPECT_EQ(queue.wait(id).state, JobState::done) << queue.info(id).error;
  EXPECT_EQ(bytes(in("a_out.tif")), bytes(in("a_alone.tif")));
  EXPECT_EQ(bytes(in("b_out.tif")), bytes(in("b_alone.tif")));
  EXPECT_EQ(bytes(in("trained") / kWeights), bytes(in("trained_alone") / kWeights));
  EXPECT_NE(bytes(in("trained") / kWeights), bytes(in("model") / kWeights));
  EXPECT_GE(most, 2);
  EXPECT_EQ(queue.info(b).iteration, 6);  // steps of the chain
  EXPECT_EQ(queue.info(c).iteration, 30);
  EXPECT_EQ(queue.info(c).iterations, 30);
  EXPECT_TRUE(std::holds_alternative<RefineRequest>(queue.info(b).request));
  EXPECT_GT(queue.info(b).memory, queue.info(a).memory);
  EXPECT_GT(queue.info(c).memory, 4u * 64u);
}

TEST_F(Queue, ThreeKindsOfJobsShareTheThreadsAndTheMemory) {
  std::atomic<int> now = 0, most = 0;
  const FitRequest fit = request("a", 30);
  RefineRequest refine = refinement(request("b", 30), in("model"));
  TrainingRequest train = training(in("pictures"), in("trained"));
  refine.options.restore.threads = 9;
  train.threads = 0;
  const std::size_t largest =
      std::max({memory_needed(fit), memory_needed(refine), memory_needed(train)});
  JobQueue queue({.threads = 2, .memory = largest});
  const auto a = queue.submit(fit, {}, std::make_shared<Together>(now, most));
  const auto b = queue.submit(refine, {}, std::make_shared<TogetherRefining>(now, most));
  const auto c = queue.submit(train, std::make_shared<TogetherTraining>(now, most));
  for (const auto id : {a, b, c})
    EXPECT_EQ(queue.wait(id).state, JobState::done) << queue.info(id).error;
  EXPECT_EQ(most, 1);
  EXPECT_EQ(queue.info(b).threads, 2);
  EXPECT_EQ(queue.info(c).threads, 2);
  JobQueue small({.threads = 1, .memory = 100});
  train.output = in("second");
  error_of([&] { small.submit(refine); }, ErrorCode::too_large);
  error_of([&] { small.submit(train); }, ErrorCode::too_large);
  train.output = in("trained");
  JobQueue large({.threads = 1, .memory = std::size_t{1} << 30});
  EXPECT_THAT(error_of([&] { large.submit(train); }, ErrorCode::bad_argument),
              HasSubstr("holds a training already"));
  refine.model = in("nowhere");
  error_of([&] { large.submit(refine); }, ErrorCode::io);
}

TEST_F(Queue, APausedRefinementAndPausedTrainingsGoOnToTheSameBytes) {
  RefineObserver quiet_refine;
  TrainingObserver quiet_training;
  const RefineRequest refine = refinement(request("b", 150), in("model"));
  TrainingRequest train = training(in("pictures"), in("trained"));
  train.iterations = 150;
  const GanTrainingRequest gan = gan_training(train, in("gan"));
  EXPECT_GT(memory_needed(gan), 0u);
  run(gan_training(train, in("gan_alone")), quiet_training);
  RefineRequest refine_alone = refine;
  TrainingRequest train_alone = train;
  refine_alone.out.result = in("b_alone.tif");
  train_alone.output = in("trained_alone");
  run(refine_alone, {}, quiet_refine);
  run(train_alone, quiet_training);

  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  const std::uint64_t ids[] = {queue.submit(refine, in("b_run")), queue.submit(train),
                               queue.submit(gan)};
  for (const auto id : ids) {
    wait_for_iterations(queue, id, 20);
    queue.pause(id);
    const JobInfo paused = queue.wait(id);
    ASSERT_EQ(paused.state, JobState::paused) << paused.error;
    EXPECT_LT(paused.iteration, 150);
  }
  for (const auto id : ids) {
    queue.resume(id);
    ASSERT_EQ(queue.wait(id).state, JobState::done) << queue.info(id).error;
  }
  EXPECT_EQ(bytes(in("b_out.tif")), bytes(in("b_alone.tif")));
  EXPECT_EQ(bytes(in("trained") / kWeights), bytes(in("trained_alone") / kWeights));
  const char* generator = "generator.safetensors";
  EXPECT_EQ(bytes(in("gan") / generator), bytes(in("gan_alone") / generator));
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

TEST_F(Queue, AJobThatIsStoppedBeforeItHasAPictureDidNotFail) {
  FitRequest large = request("a", kForever);
  write_image(large.in.picture, Image(1, 512, 512, 0.5f));
  JobQueue queue({.threads = 1, .memory = std::size_t{4} << 30});
  const auto paused = queue.submit(large, in("kept"));
  queue.pause(paused);
  EXPECT_EQ(queue.wait(paused).state, JobState::paused) << queue.info(paused).error;
  queue.resume(paused);
  queue.cancel(paused);
  EXPECT_EQ(queue.wait(paused).state, JobState::cancelled) << queue.info(paused).error;
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

TEST_F(Queue, AJobWithATileThatFailedIsNotOneThatWasCancelled) {
  FitRequest tiled = request("a", 4);
  tiled.in.reference.clear();
  tiled.options.tile = "64";
  tiled.options.engine = "cpu";
  write_image(tiled.in.picture, Image(1, 60, 110, 0.5f));
  const std::filesystem::path tiles = RunStore(in("run"), "test").tiles();
  std::filesystem::create_directories(tiles);
  std::filesystem::create_symlink(in("nowhere/1.tile"), tiles / "1.tile");  // cannot be written
  JobQueue queue({.threads = 1, .memory = std::size_t{1} << 30});
  const auto job = queue.submit(tiled, in("run"));
  EXPECT_EQ(queue.wait(job).state, JobState::failed);
  EXPECT_THAT(queue.info(job).error, HasSubstr("1.tile"));
  EXPECT_THAT(queue.info(job).error, HasSubstr("1 of 2 tiles stay as they came"));
  EXPECT_TRUE(std::filesystem::exists(tiled.out.result));
}

TEST_F(Queue, ARefinementThatIsKeptDoesNotReplaceWhatItReads) {
  RefineObserver quiet;
  const RefineRequest good = refinement(request("b", 4), in("model"));
  const auto refused = [&](const RefineRequest& bad) {
    EXPECT_THAT(error_of([&] { run(bad, in("kept"), quiet); }, ErrorCode::bad_argument),
                HasSubstr("the result would replace '"));
  };
  RefineRequest bad = good;
  bad.out.result = good.in.picture;
  refused(bad);
  bad = good;
  bad.save_prior = good.in.picture;
  refused(bad);
  bad = good;
  bad.prior_file = bad.out.result = in("prior.tif");
  std::filesystem::copy(good.in.picture, in("prior.tif"));
  refused(bad);
  EXPECT_FALSE(std::filesystem::exists(in("kept")));
}

TEST_F(Queue, MemoryOfAPictureInTilesIsThatOfItsTiles) {
  FitRequest large = request("a");
  large.options = {.threads = 2, .engine = "cpu"};
  write_image(large.in.picture, Image(1, 1100, 1000, 0.5f));
  const std::size_t two = memory_needed(large);
  large.options.threads = 1;
  const std::size_t one = memory_needed(large);
  large.options.tile = "none";
  const std::size_t whole = memory_needed(large);
  EXPECT_LT(one, two);
  EXPECT_LT(two, 2 * one);
  EXPECT_LT(5 * two, whole);

  // The fit is of one piece after the other, the filter of the whole.
  FitRequest middle = request("b");
  middle.options = {.threads = 1, .engine = "cpu"};
  write_image(middle.in.picture, Image(1, 400, 400, 0.5f));
  const std::size_t pieces = memory_needed(middle);
  middle.options.method = Method::patches;
  const std::size_t filter = memory_needed(middle);
  middle.options.method = {};
  middle.options.tile = "none";
  EXPECT_LT(filter, pieces);
  EXPECT_LT(3 * pieces, memory_needed(middle));
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
