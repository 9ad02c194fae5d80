#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <thread>

#include "cli/support.h"

namespace unmar::cli_test {
namespace ddpm_test {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSide = 8;

class Ddpm : public CliTest {
 protected:
  Ddpm() {
    fs::create_directory(in("pictures"));
    for (int i = 0; i < 5; ++i)
      put("pictures/" + std::to_string(i) + ".png", test_picture(9 + i, 12));
  }

  /// Hardly more than a millisecond an iteration.
  static Words train(const std::string& model, const Words& more = {}) {
    return Words{"ddpm", "train", "pictures", "-o", model, "--size", std::to_string(kSide)} +
           Words{"--channels", "4,4", "--norm-num-groups", "2", "--layers-per-block", "1"} +
           Words{"--batch", "2", "--threads", "1", "--iterations", "3", "--dropout", "0.1"} + more;
  }
  static Words sample(const std::string& model, const std::string& output, const Words& more = {}) {
    return Words{"ddpm", "sample", model, "-o", output, "--threads", "1", "--steps", "3"} + more;
  }
  void succeed(const Words& arguments) const {
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  std::string of(const std::string& model, const std::string& file) const {
    return contents(in(model) / file);
  }
  void expect_same_model(const std::string& a, const std::string& b) const {
    for (const char* file : {"config.json", "scheduler_config.json", "loss.csv",
                             "diffusion_pytorch_model.safetensors"}) {
      EXPECT_NE(of(a, file), "") << file;
      EXPECT_EQ(of(a, file), of(b, file)) << file;
    }
  }
  void change(const fs::path& path, const std::string& from, const std::string& to) const {
    std::string text = contents(path);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, text.npos) << from;
    text.replace(at, from.size(), to);
    std::ofstream(path, std::ios::binary) << text;
  }
  /// Two gray pictures of 6x4 px.
  void put_idx(const std::string& name) const {
    const std::string header("\0\0\x08\x03\0\0\0\x02\0\0\0\x04\0\0\0\x06", 16);
    std::ofstream(in(name), std::ios::binary) << header + std::string(48, '\x80');
  }
};

TEST_F(Ddpm, ATrainingThatWasMovedWithItsPicturesGoesOn) {
  fs::create_directory(in("old"));
  fs::rename(in("pictures"), in("old/pictures"));
  Words begin = train("old/model");
  begin[2] = "old/pictures";
  succeed(begin);
  fs::rename(in("old"), in("new"));
  const Outcome resumed = run({"ddpm", "train", "--resume", "new/model", "--iterations", "4"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("new/pictures'"));
}

TEST_F(Ddpm, APictureThatCannotBeReadIsLeftOutAndSaid) {
  std::ofstream(in("pictures/0.png"), std::ios::trunc).close();
  const Outcome trained = run(train("model"));
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("warning: 1 files of 'pictures'"));
  EXPECT_THAT(trained.err, HasSubstr("4 pictures of 8x8 px"));
}

TEST_F(Ddpm, ASampleThatIsTooLargeForMemoryIsRefusedAtOnce) {
  // A value of its widest level takes 17 GB; the limit does not depend on the machine.
  succeed(train("model", {"--channels", "256,4", "--attention", "none", "--iterations", "1"}));
  const auto limited = [] {
    const rlimit limit{8ull << 30, 8ull << 30};
    setrlimit(RLIMIT_AS, &limit);
  };
  Process process(folder(), sample("model", "s.png", {"--size", "4096", "-n", "1"}), limited);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, kFailure);
  EXPECT_THAT(outcome.err, testing::ContainsRegex(
                               "4096x4096 px needs .*, but [0-7]\\.. GiB are available; try"));
}

TEST_F(Ddpm, ALongStepIsToldAndCanBeInterrupted) {
  succeed(train("model", {"--attention", "4"}));
  // Attention over 512 x 512 places: more than a minute for one step.
  Process process(folder(), sample("model", "s.png", {"--size", "1024", "-n", "1"}));
  ASSERT_TRUE(process.wait_for("this takes about "));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto start = std::chrono::steady_clock::now();
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("stopped by you before a sample was done"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Ddpm, TrainsAModelAndDrawsWithIt) {
  const Outcome trained = run(train("model", {"--json", "--samples", "2"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("5 pictures of 8x8 px, RGB"));
  const Json facts = Json::parse(trained.out, nullptr, false);
  EXPECT_EQ(facts["iterations"], 3);
  const std::string losses = of("model", "loss.csv");
  EXPECT_THAT(losses, testing::StartsWith("iteration,loss\n0,"));
  EXPECT_EQ(std::ranges::count(losses, '\n'), 4);
  EXPECT_EQ(get("model/samples/iteration_000002.png").width(), 8 * (kSide + 2) - 2);
  const Json config = Json::parse(of("model", "config.json"), nullptr, false);
  EXPECT_EQ(config["block_out_channels"], Json({4, 4}));
  EXPECT_EQ(config["sample_size"], kSide);

  const Outcome drawn = run(sample("model", "sheet.png", {"-n", "3", "--zoom", "2"}));
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(get("sheet.png").channels(), 3);
  EXPECT_EQ(get("sheet.png").width(), 2 * 2 * kSide + 2);
  EXPECT_EQ(get("sheet.png").height(), 2 * 2 * kSide + 2);
}

TEST_F(Ddpm, LearnsTheNoiseInAFewPictures) {
  succeed(train("model", {"--iterations", "120", "--lr", "0.01", "--warm-up", "5"}));
  std::istringstream rows(of("model", "loss.csv"));
  std::vector<double> losses;
  for (std::string row; std::getline(rows, row);)
    if (const auto comma = row.find(','); std::isdigit(row[0]))
      losses.push_back(std::stod(row.substr(comma + 1)));
  ASSERT_EQ(losses.size(), 120u);
  const auto mean = [&](int first, int last) {
    return std::accumulate(losses.begin() + first, losses.begin() + last, 0.0) / (last - first);
  };
  EXPECT_LT(mean(80, 120), 0.7 * mean(0, 10)) << mean(80, 120) << " of " << mean(0, 10);
}

TEST_F(Ddpm, TrainingThatWasKilledGoesOnToTheSameBits) {
  const Words more = {"--iterations", "12", "--checkpoint-every", "0", "--flip"};
  succeed(train("whole", more));
  {
    Process process(folder(), train("killed", more));
    for (int i = 0; i < 6000 && !fs::exists(in("killed/checkpoint.bin")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().code, -1) << "too fast to be killed";
  }
  const Outcome resumed = run({"ddpm", "train", "--resume", "killed", "--threads", "2", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("going on after "));
  EXPECT_EQ(Json::parse(resumed.out, nullptr, false)["iterations"], 12);
  expect_same_model("whole", "killed");
}

TEST_F(Ddpm, AfterCtrlCThereIsAModelAndMoreIterationsGiveTheSameBits) {
  const Words endless = {"--iterations", "1000000"};
  Process process(folder(), train("model", endless));
  ASSERT_TRUE(process.wait_for("train 1/1000000"));
  process.send(SIGINT);
  const Outcome stopped = process.wait();
  EXPECT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("'unmar ddpm train --resume model' goes on from here"));
  succeed(sample("model", "sheet.png"));

  const std::string losses = of("model", "loss.csv");
  const auto done = std::ranges::count(losses, '\n') - 1;
  succeed({"ddpm", "train", "--resume", "model", "--iterations", std::to_string(done + 2)});
  succeed(train("whole", {"--iterations", std::to_string(done + 2)}));
  expect_same_model("whole", "model");
  expect_refusal({"ddpm", "train", "--resume", "model"}, kUsage, {"is finished", "--iterations"});
}

TEST_F(Ddpm, DrawsTheSamePicturesForTheSameSeed) {
  succeed(train("model"));
  succeed(sample("model", "a", {"-n", "3", "--seed", "5"}));
  succeed(sample("model", "b", {"-n", "20", "--seed", "5", "--threads", "2"}));  // in two batches
  succeed(sample("model", "c", {"-n", "3", "--seed", "6"}));
  for (const std::string name : {"00000.png", "00001.png", "00002.png"}) {
    EXPECT_EQ(contents(in("a") / name), contents(in("b") / name)) << name;
    EXPECT_NE(contents(in("a") / name), contents(in("c") / name)) << name;
  }
  EXPECT_NE(of("b", "00000.png"), of("b", "00019.png"));
  EXPECT_FALSE(fs::exists(in("b/00020.png")));
}

TEST_F(Ddpm, SamplersAndTheirOptionsChangeThePictures) {
  succeed(train("model", {"--iterations", "60", "--lr", "0.01", "--warm-up", "5"}));
  std::set<std::string> sheets;
  const std::vector<Words> choices = {{},
                                      {"--sampler", "ddpm"},
                                      {"--sampler", "dpm-solver++"},
                                      {"--eta", "1"},
                                      {"--spacing", "trailing"},
                                      {"--steps", "4"},
                                      {"--size", "16"}};
  for (const Words& choice : choices) {
    succeed(sample("model", "sheet.png", choice));
    sheets.insert(contents(in("sheet.png")));
  }
  EXPECT_EQ(sheets.size(), choices.size());
  succeed(sample("model", "sheet.png", {"--snapshots", "film.gif", "-n", "20"}));
  EXPECT_GT(fs::file_size(in("film.gif")), 100u);
}

TEST_F(Ddpm, HalfPrecisionTakesHalfTheSpaceAndDrawsTheSame) {
  succeed(train("single"));
  succeed(train("half", {"--weights", "f16"}));
  const char* weights = "diffusion_pytorch_model.safetensors";
  const auto size = [&](const char* model) {
    return static_cast<double>(fs::file_size(in(model) / weights));
  };
  EXPECT_LT(size("half"), 0.85 * size("single"));  // the names take their part
  EXPECT_EQ(of("half", "loss.csv"), of("single", "loss.csv"));
  succeed(sample("single", "a.png"));
  succeed(sample("half", "b.png"));
  EXPECT_GT(psnr(get("a.png"), get("b.png")), 40);
}

TEST_F(Ddpm, TrainsOnIdxFilesGrayPicturesAndGivenNetworks) {
  put_idx("digits.idx");
  Words words = train("digits");
  words[2] = "digits.idx";
  const Outcome padded = run(words);
  EXPECT_EQ(padded.code, 0) << padded.err;
  EXPECT_THAT(padded.err, HasSubstr("2 pictures of 8x8 px, gray"));
  const Outcome gray = run({"ddpm", "train", "pictures", "--gray", "--size", "8", "--unet",
                            "digits/config.json", "-o", "gray", "--iterations", "1"});
  EXPECT_EQ(gray.code, 0) << gray.err;
  EXPECT_EQ(of("gray", "config.json"), of("digits", "config.json"));
}

TEST_F(Ddpm, RefusesToTrainOnWhatDoesNotSuit) {
  expect_refusal({"ddpm", "train", "-o", "m"}, kUsage, {"IMAGES or --resume is required"});
  expect_refusal({"ddpm", "train", "pictures"}, kUsage, {"-o is required"});
  expect_refusal({"ddpm", "train", "nowhere", "-o", "m"}, kFailure, {"there is no 'nowhere'"});
  fs::create_directory(in("empty"));
  expect_refusal({"ddpm", "train", "empty", "-o", "m"}, kFailure, {"'empty' holds no PNG"});
  expect_refusal({"ddpm", "train", "pictures/0.png", "-o", "m"}, kFailure, {"is not an IDX file"});
  put_idx("digits.idx");
  expect_refusal({"ddpm", "train", "digits.idx", "-o", "m", "--size", "5"}, kUsage,
                 {"--size", "6x4 px", "at least 6"});
  expect_refusal({"ddpm", "train", "pictures", "-o", "m", "--size", "30"}, kUsage,
                 {"multiple of 4, but it is 30; give --size 32"});
  expect_refusal(train("m", {"--channels", "4,x"}), kUsage, {"--block-out-channels", "'4,x'"});
  expect_refusal(train("m", {"--norm-num-groups", "3"}), kUsage,
                 {"--norm-num-groups: 3", "width 4"});
  expect_refusal(train("m", {"--attention", "5"}), kUsage, {"--attention", "5 px", "2 levels"});
  expect_refusal(train("m", {"--schedule", "sine"}), kUsage, {"linear or cosine"});
  expect_refusal(train("pictures/0.png"), kFailure, {"-o", "not a folder"});

  succeed(train("model"));
  expect_refusal(train("model"), kUsage, {"holds a training already"});
  expect_refusal(
      {"ddpm", "train", "digits.idx", "--size", "8", "--unet", "model/config.json", "-o", "m"},
      kUsage, {"--unet", "3 channels", "have 1"});
  fs::remove(in("model/training.json"));
  expect_refusal(train("model"), kUsage, {"holds a model already"});
}

TEST_F(Ddpm, RefusesToResumeWhatIsNotThereOrChanged) {
  expect_refusal({"ddpm", "train", "--resume", "nowhere"}, kFailure, {"'nowhere' is not a folder"});
  expect_refusal({"ddpm", "train", "--resume", "pictures"}, kFailure, {"holds no training"});
  expect_refusal({"ddpm", "sampel"}, kUsage, {"no command 'sampel'", "did you mean 'sample'"});
  expect_refusal({"ddpm"}, kUsage, {"say which: train, sample"});
  succeed(train("model"));
  expect_refusal({"resume", "model"}, kUsage, {"'unmar ddpm train --resume model' goes on"});
  const Words resume = {"ddpm", "train", "--resume", "model", "--iterations", "5"};
  expect_refusal(resume + Words{"--lr", "0.1"}, kUsage, {"--lr", "leave it out", "--resume"});
  {
    Process first(folder(), {"ddpm", "train", "--resume", "model", "--iterations", "1000000"});
    ASSERT_TRUE(first.wait_for("train 4/1000000"));
    expect_refusal(resume, kFailure, {"another unmar works in 'model'"});
    first.send(SIGINT);
    EXPECT_EQ(first.wait().code, 0);
  }
  const Words more = {"ddpm", "train", "--resume", "model", "--iterations", "2000000"};
  const std::string record = of("model", "training.json");
  change(in("model/training.json"), "\"batch\": 2", "\"batch\": \"many\"");
  expect_refusal(more, kFailure, {"training.json' is damaged"});
  std::ofstream(in("model/training.json")) << record;
  change(in("model/training.json"), "\"unmar\": \"", "\"unmar\": \"0.0.");
  expect_refusal(more, kFailure, {"was begun by unmar 0.0."});
  std::ofstream(in("model/training.json")) << record;

  put("pictures/0.png", test_picture(20, 20));
  expect_refusal(more, kFailure, {"are not those that the training began with"});
  put("pictures/0.png", test_picture(9, 12));
  fs::resize_file(in("model/checkpoint.bin"), 5000);
  expect_refusal(more, kFailure, {"checkpoint.bin' is cut short"});
}

TEST_F(Ddpm, RefusesToDrawWithoutAModelThatSuits) {
  expect_refusal(sample("nowhere", "a.png"), kFailure,
                 {"there is no folder 'nowhere'", "fashion-mnist"});
  expect_refusal(sample("pictures", "a.png"), kFailure, {"config.json"});
  succeed(train("model"));
  expect_refusal(sample("model", "a.xyz"), kUsage, {"a.xyz"});
  expect_refusal(sample("model", "nowhere/a.png"), kFailure, {"nowhere/a.png"});
  expect_refusal(sample("model", "a.png", {"--size", "9"}), kUsage, {"--size", "multiple of 2"});
  expect_refusal(sample("model", "a.png", {"--steps", "1001"}), kUsage, {"1001"});
  expect_refusal(sample("model", "a.png", {"--sampler", "dmp"}), kUsage, {"ddpm, ddim"});
  expect_refusal(sample("model", "a.png", {"--sampler", "ddpm", "--eta", "1"}), kUsage, {"--eta"});
  expect_refusal(sample("model", "a.png", {"--snapshots", "film.mp4"}), kUsage, {"--snapshots"});
  fs::resize_file(in("model/diffusion_pytorch_model.safetensors"), 3000);
  expect_refusal(sample("model", "a.png"), kFailure, {"diffusion_pytorch_model.safetensors'"});
}

TEST_F(Ddpm, DrawsWithTheModelThatCameWithIt) {
  const Outcome outcome = run({"ddpm", "sample", "-n", "1", "--steps", "2", "-o", "a.png"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(get("a.png").channels(), 1);
  EXPECT_EQ(get("a.png").width(), 28);
}

}  // namespace ddpm_test
}  // namespace unmar::cli_test
