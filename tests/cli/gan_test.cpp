#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/support.h"

namespace unmar::cli_test {
namespace gan_test {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSide = 8;

class Gan : public CliTest {
 protected:
  Gan() {
    fs::create_directory(in("pictures"));
    for (int i = 0; i < 5; ++i)
      put("pictures/" + std::to_string(i) + ".png", test_picture(9 + i, 12));
  }

  /// Hardly more than a millisecond an iteration.
  static Words train(const std::string& model, const Words& more = {}) {
    return Words{"gan", "train", "pictures", "-o", model, "--size", std::to_string(kSide)} +
           Words{"--channels", "4", "--latent", "5", "--kernel", "3", "--batch", "2"} +
           Words{"--threads", "1", "--iterations", "3"} + more;
  }
  static Words sample(const std::string& model, const std::string& output, const Words& more = {}) {
    return Words{"gan", "sample", model, "-o", output, "--threads", "1"} + more;
  }
  void succeed(const Words& arguments) const {
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  std::string of(const std::string& model, const std::string& file) const {
    return contents(in(model) / file);
  }
  void expect_same_model(const std::string& a, const std::string& b) const {
    for (const char* file : {"config.json", "loss.csv", "generator.safetensors"}) {
      EXPECT_NE(of(a, file), "") << file;
      EXPECT_EQ(of(a, file), of(b, file)) << file;
    }
  }
  void train_ddpm(const std::string& model) const {
    succeed(Words{"ddpm", "train", "pictures", "-o", model, "--size", "8", "--channels", "4,4"} +
            Words{"--norm-num-groups", "2", "--layers-per-block", "1", "--batch", "2"} +
            Words{"--iterations", "1"});
  }
};

TEST_F(Gan, TrainsAModelAndDrawsWithIt) {
  const Outcome trained = run(train("model", {"--json", "--samples", "2"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("5 pictures of 8x8 px, RGB; generator and discriminator of "));
  EXPECT_THAT(trained.err, HasSubstr("discriminator right "));
  const Json facts = Json::parse(trained.out, nullptr, false);
  EXPECT_EQ(facts["iterations"], 3);
  EXPECT_GE(facts["accuracy"], 0);
  EXPECT_GT(facts["diversity"], 0);
  const std::string curve = of("model", "loss.csv");
  EXPECT_THAT(curve, testing::StartsWith(
                         "iteration,generator_loss,discriminator_loss,accuracy,diversity\n0,"));
  EXPECT_EQ(std::ranges::count(curve, '\n'), 4);
  EXPECT_EQ(get("model/samples/iteration_000002.png").width(), 8 * (kSide + 2) - 2);
  const Json config = Json::parse(of("model", "config.json"), nullptr, false);
  EXPECT_EQ(config["latent"], 5);
  EXPECT_EQ(config["size"], kSide);

  const Outcome drawn = run(sample("model", "sheet.png", {"-n", "3", "--zoom", "2", "--json"}));
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(get("sheet.png").channels(), 3);
  EXPECT_EQ(get("sheet.png").width(), 2 * 2 * kSide + 2);
  EXPECT_EQ(Json::parse(drawn.out, nullptr, false)["samples"], 3);
}

TEST_F(Gan, TrainingThatWasKilledGoesOnToTheSameBits) {
  const Words more = {"--iterations",         "12",      "--checkpoint-every", "0", "--flip",
                      "--norm-discriminator", "spectral"};
  succeed(train("whole", more));
  {
    Process process(folder(), train("killed", more));
    for (int i = 0; i < 6000 && !fs::exists(in("killed/checkpoint.bin")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().code, -1) << "too fast to be killed";
  }
  const Outcome resumed = run({"gan", "train", "--resume", "killed", "--threads", "2", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("going on after "));
  EXPECT_EQ(Json::parse(resumed.out, nullptr, false)["iterations"], 12);
  expect_same_model("whole", "killed");
}

TEST_F(Gan, AfterCtrlCThereIsAModelAndMoreIterationsGiveTheSameBits) {
  Process process(folder(), train("model", {"--iterations", "1000000"}));
  ASSERT_TRUE(process.wait_for("train 1/1000000"));
  process.send(SIGINT);
  const Outcome stopped = process.wait();
  EXPECT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("'unmar gan train --resume model' goes on from here"));
  succeed(sample("model", "sheet.png"));
  const auto done = std::ranges::count(of("model", "loss.csv"), '\n') - 1;
  succeed({"gan", "train", "--resume", "model", "--iterations", std::to_string(done + 2)});
  succeed(train("whole", {"--iterations", std::to_string(done + 2)}));
  expect_same_model("whole", "model");
  expect_refusal({"gan", "train", "--resume", "model"}, kUsage, {"is finished", "--iterations"});
}

TEST_F(Gan, DrawsTheSamePicturesForTheSameSeed) {
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

TEST_F(Gan, WarnsOfADiscriminatorThatIsTooStrong) {
  // So slow a generator stays at the gray that it begins with.
  const Outcome outcome =
      run(train("model", {"--iterations", "401", "--lr", "1e-7", "--lr-discriminator", "0.01"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::ContainsRegex("warning: after .* iterations: the discrimin"));
}

TEST_F(Gan, RefusesToTrainOnWhatDoesNotSuit) {
  expect_refusal({"gan", "train", "-o", "m"}, kUsage, {"IMAGES or --resume is required"});
  expect_refusal({"gan", "train", "nowhere", "-o", "m"}, kFailure,
                 {"gan train: there is no 'nowhere'"});
  fs::create_directory(in("empty"));
  expect_refusal({"gan", "train", "empty", "-o", "m"}, kFailure, {"'empty' holds no PNG"});
  expect_refusal({"gan", "train", "pictures", "-o", "m", "--size", "30"}, kUsage,
                 {"multiple of 4", "it is 30; give --size 32"});
  expect_refusal(train("m", {"--kernel", "4"}), kUsage, {"--kernel", "3, 5, 7 or 9"});
  expect_refusal(train("m", {"--batch", "1"}), kUsage, {"--batch", "2 to 4096"});
  expect_refusal(train("m", {"--smooth", "0.5"}), kUsage, {"--smooth"});
  expect_refusal(train("m", {"--norm-discriminator", "layer"}), kUsage,
                 {"--norm-discriminator", "batch", "spectral"});
  succeed(train("model"));
  expect_refusal(train("model"), kUsage, {"holds a training already"});
  expect_refusal({"gan", "train", "--resume", "model", "--lr", "1"}, kUsage,
                 {"--lr", "leave it out"});
  put("pictures/0.png", test_picture(20, 20));
  expect_refusal({"gan", "train", "--resume", "model", "--iterations", "9"}, kFailure,
                 {"are not those that the training began with"});
}

TEST_F(Gan, TellsItsModelsFromThoseOfDiffusion) {
  succeed(train("gan"));
  train_ddpm("ddpm");
  expect_refusal(sample("ddpm", "a.png"), kFailure, {"another kind of model", "not of a GAN"});
  expect_refusal({"ddpm", "sample", "gan", "-o", "a.png"}, kFailure,
                 {"it is a GAN", "'unmar gan sample'"});
  expect_refusal({"gan", "train", "--resume", "ddpm"}, kUsage,
                 {"training of a diffusion model", "'unmar ddpm train --resume'"});
  expect_refusal({"ddpm", "train", "--resume", "gan"}, kUsage,
                 {"training of a GAN", "'unmar gan train --resume'"});
  expect_refusal({"resume", "gan"}, kUsage, {"train --resume gan' goes on"});
  expect_refusal(sample("pictures", "a.png"), kFailure, {"config.json is missing"});
  expect_refusal(sample("nowhere", "a.png"), kFailure, {"fashion-mnist-gan"});
  fs::resize_file(in("gan/generator.safetensors"), 900);
  expect_refusal(sample("gan", "a.png"), kFailure, {"generator.safetensors"});
}

TEST_F(Gan, DrawsWithTheModelThatCameWithIt) {
  const Outcome outcome = run({"gan", "sample", "-n", "1", "-o", "a.png"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(get("a.png").channels(), 1);
  EXPECT_EQ(get("a.png").width(), 28);
}

TEST_F(Gan, IsAPriorThatCanBeKilledAndResumed) {
  succeed(train("model"));
  put("noisy.png", test_picture(kSide, kSide));
  const auto denoise = [](const std::string& output, const Words& more) {
    return Words{"denoise", "noisy.png", "-o", output, "--prior", "gan", "--model", "model"} +
           Words{"--stop", "none", "--starts", "3", "--threads", "1"} + more;
  };
  const Words some = {"--iterations", "40", "--weight-iterations", "30"};
  const Outcome whole =
      run(denoise("whole.png", some + Words{"--json", "--history", "h.csv", "--report", "r.html"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.err, HasSubstr("GAN generator"));
  EXPECT_THAT(whole.err, HasSubstr("weights 4 of 4"));
  const Json facts = Json::parse(whole.out, nullptr, false);
  ASSERT_EQ(facts["parts"].size(), 4u);
  EXPECT_EQ(facts["parts"][3]["phase"], "weights");
  EXPECT_EQ(facts["iterations"], 3 * 40 + 30);
  EXPECT_THAT(contents(in("h.csv")), HasSubstr("\n149,"));
  {
    Process process(folder(), denoise("killed.png", {"--iterations", "200000", "--run", "k.run"}));
    ASSERT_TRUE(process.wait_for("start 1 of 4"));
    process.send(SIGINT);
    EXPECT_EQ(process.wait().code, 0);
  }
  succeed(denoise("kept.png", some + Words{"--run", "kept.run"}));
  EXPECT_EQ(contents(in("kept.png")), contents(in("whole.png")));
  succeed(train("other", {"--seed", "1"}));
  for (const char* file : {"config.json", "generator.safetensors"})
    fs::copy_file(in("other") / file, in("model") / file, fs::copy_options::overwrite_existing);
  expect_refusal({"resume", "k.run"}, kFailure, {"the model", "not the one that the run began"});
}

TEST_F(Gan, SaysWhatItCannotBeAPriorFor) {
  succeed(train("model"));
  train_ddpm("ddpm");
  put("noisy.png", test_picture(kSide, kSide));
  put("large.png", test_picture(20, 20));
  const auto denoise = [](const std::string& picture, const Words& more) {
    return Words{"denoise", picture, "-o", "out.png"} + more;
  };
  expect_refusal(denoise("large.png", {"--prior", "gan", "--model", "model"}), kFailure,
                 {"--prior gan", "8x8 px", "20x20 px"});
  expect_refusal(denoise("noisy.png", {"--prior", "gan", "--model", "ddpm"}), kFailure,
                 {"another kind of model"});
  expect_refusal(denoise("noisy.png", {"--prior", "gan"}), kFailure, {"28x28 px", "1 channels"});
  expect_refusal(denoise("noisy.png", {"--model", "model"}), kUsage, {"--model", "--prior gan"});
  expect_refusal(denoise("noisy.png", {"--starts", "2"}), kUsage, {"--starts", "--prior gan"});
  expect_refusal(denoise("noisy.png", {"--prior", "gan", "--network", "unet"}), kUsage,
                 {"--network", "--prior gan"});
}

}  // namespace gan_test
}  // namespace unmar::cli_test
