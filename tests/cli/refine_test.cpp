#include <sys/resource.h>
#include <unmar/base/checksum.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/support.h"
#include "tiny_model.h"

namespace unmar::cli_test {
namespace refine_test {

class Refine : public CliTest {
 protected:
  Refine() {
    put("in.png", test_picture(8, 8, 1));
    write_diffusers(in("model"), test::tiny_model());
  }

  static Image hole() {
    Image mask(1, 8, 8, 1.f);
    for (int y = 2; y < 5; ++y) mask.at(0, y, 3) = 0.f;
    return mask;
  }

  static Words refine(const Words& more, const std::string& model = "model") {
    return Words{"refine", "in.png", "-o", "out.png", "--model", model, "--steps", "3"} + more +
           kTiny;
  }
};

TEST_F(Refine, PrintsWhatItDidAndWhatItTook) {
  put("clean.png", test_picture(8, 8, 1));
  const Outcome outcome =
      run(refine({"--task", "denoise", "--sigma", "51", "--json", "--reference", "clean.png"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto facts = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(facts["evaluations"], 3);
  EXPECT_EQ(facts["iterations"], 6);
  EXPECT_EQ(facts["noise"], 51.0);
  EXPECT_EQ(facts["prior_error"], 25.5);
  EXPECT_GT(facts["fit_seconds"], 0.0);
  EXPECT_GE(facts["total_seconds"].get<double>(),
            facts["fit_seconds"].get<double>() + facts["chain_seconds"].get<double>());
  EXPECT_EQ(facts["options"]["sigma"], 51.0);
  EXPECT_THAT(outcome.err, testing::HasSubstr("3 network evaluations"));
  EXPECT_THAT(outcome.err, testing::HasSubstr("its error put at 25.5 of 255"));
  EXPECT_THAT(outcome.err, testing::ContainsRegex("PSNR .* -> prior .* -> .* dB"));
  EXPECT_EQ(get("out.png").width(), 8);
}

TEST_F(Refine, AManifestThatCannotBeWrittenCostsNothingElse) {
  Process process(folder(), refine({"--task", "denoise", "--sigma", "51", "--manifest", "m.json"}),
                  [] {
                    const rlimit limit{1000, 1000};
                    setrlimit(RLIMIT_FSIZE, &limit);
                  });
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, testing::HasSubstr("warning: --manifest"));
  EXPECT_EQ(get("out.png").width(), 8);
}

TEST_F(Refine, ASavedPriorTakesThePlaceOfItsFit) {
  ASSERT_EQ(run(refine({"--task", "denoise", "--sigma", "51", "--save-prior", "p.tif"})).code, 0);
  const std::string first = contents(in("out.png"));
  const Outcome again =
      run(refine({"--task", "denoise", "--sigma", "51", "--prior-file", "p.tif", "--json"}));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(nlohmann::json::parse(again.out)["iterations"].is_null());
  EXPECT_EQ(contents(in("out.png")), first);
}

TEST_F(Refine, TheManifestRepeatsTheRun) {
  put("mask.png", hole());
  const Words task = {"--task", "inpaint", "--mask", "mask.png"};
  ASSERT_EQ(run(refine(task + Words{"--seed", "5", "--manifest", "m.json"})).code, 0);
  const auto manifest = nlohmann::json::parse(contents(in("m.json")));
  const Words again = Words{"refine", "in.png", "-o", "again.png", "--model", "model", "--quiet"} +
                      task + options_of(manifest);
  EXPECT_EQ(run(again).err, "");
  EXPECT_EQ(contents(in("again.png")), contents(in("out.png")));
}

TEST_F(Refine, TheManifestTellsOfTheFitTheChainAndTheModel) {
  ASSERT_EQ(
      run(refine({"--task", "denoise", "--sigma", "51", "--manifest", "m.json", "--start", "20"}))
          .code,
      0);
  auto manifest = nlohmann::json::parse(contents(in("m.json")));
  EXPECT_EQ(manifest["task"], "denoise");
  EXPECT_EQ(manifest["engine"]["name"], "ref");
  EXPECT_EQ(manifest["input"]["width"], 8);
  EXPECT_EQ(manifest["options"]["consistency"], "none");
  EXPECT_EQ(manifest["options"]["start"], "20");
  EXPECT_EQ(manifest["fit"]["iterations"], 6);
  EXPECT_EQ(manifest["network"]["network"], "skip");
  EXPECT_EQ(manifest["result"]["start"], 20);
  EXPECT_EQ(manifest["result"]["evaluations"], 3);
  EXPECT_EQ(manifest["model"]["weights"]["sha256"],
            sha256_of_file(in("model") / "diffusion_pytorch_model.safetensors"));

  ASSERT_EQ(run(refine({"--task", "denoise", "--prior", "none", "--manifest", "m.json"})).code, 0);
  manifest = nlohmann::json::parse(contents(in("m.json")));
  EXPECT_TRUE(manifest["fit"].is_null());
  EXPECT_EQ(manifest["options"]["prior"], "none");
  EXPECT_EQ(manifest["result"]["start"], 999);

  expect_refusal(refine({"--task", "denoise", "--manifest", "no/folder/m.json"}), 1,
                 {"--manifest", "no/folder"});
}

TEST_F(Refine, ServesAllTasksAndGuides) {
  put("mask.png", hole());
  for (const Words& words :
       {Words{"--task", "inpaint", "--mask", "mask.png", "--consistency", "repaint"},
        Words{"--task", "inpaint", "--mask", "mask.png", "--consistency", "dps"},
        Words{"--task", "upscale", "--factor", "2", "--sampler", "dpm-solver++"},
        Words{"--task", "upscale", "--factor", "2", "--prior", "none", "--sampler", "ddpm"},
        Words{"--task", "denoise", "--prior-weight", "0.5", "--consistency", "none"}}) {
    const Outcome outcome = run(refine(words));
    EXPECT_EQ(outcome.code, 0) << testing::PrintToString(words) << outcome.err;
  }
}

TEST_F(Refine, RefusesInOneLine) {
  const Words denoise = {"--task", "denoise"};
  put("rgb.png", test_picture(8, 8));
  expect_refusal({"refine", "in.png", "-o", "out.png", "--task", "denoise"}, 2, {"--model"});
  expect_refusal(refine({}), 2, {"--task"});
  expect_refusal(refine({"--task", "deblur"}), 2, {"--task must be one of denoise"});
  expect_refusal(refine(denoise, "nowhere"), 1, {"there is no folder 'nowhere'"});
  expect_refusal(refine(denoise + Words{"--factor", "2"}), 2, {"--factor", "belongs to upscale"});
  expect_refusal(refine(denoise + Words{"--sigma", "300"}), 2, {"--sigma", "0 and 255"});
  expect_refusal(refine(denoise + Words{"--start", "soon"}), 2, {"--start", "'soon'"});
  expect_refusal(refine(denoise + Words{"--start", "1000"}), 2, {"0 to 999"});
  expect_refusal(refine(denoise + Words{"--mask", "in.png"}), 2, {"only --task inpaint"});
  expect_refusal(refine({"--task", "inpaint"}), 2, {"give a --mask"});
  expect_refusal(refine({"--task", "upscale"}), 2, {"--factor is missing"});
  expect_refusal(refine(denoise + Words{"--prior", "none", "--save-prior", "p.tif"}), 2,
                 {"no prior"});
  expect_refusal(refine(denoise + Words{"--steps", "0"}), 2, {"--steps must be a whole number"});
  expect_refusal(Words{"refine", "rgb.png", "-o", "out.png", "--model", "model"} + denoise + kTiny,
                 1, {"gray pictures but the given one is RGB"});
}

/// Kills refinements at some moment of the fit, and of the chain.
TEST_F(Refine, AKilledRunIsResumedToTheSameBytes) {
  const Words how = refine({"--task", "denoise", "--sigma", "51", "--manifest", "m.json"}) +
                    Words{"--steps", "200", "--iterations", "300", "--checkpoint-every", "0"};
  ASSERT_EQ(run(how).code, 0);
  const std::string expected = contents(in("out.png"));
  int kills = 0;
  for (const char* moment : {"prior 30/300", "prior 150/300", "chain"}) {
    std::filesystem::remove(in("out.png"));
    const std::string folder_name = "run" + std::to_string(kills);
    {
      Process process(folder(), how + Words{"--run", folder_name});
      ASSERT_TRUE(process.wait_for(moment)) << moment;
      process.send(SIGKILL);
      process.wait();
    }
    ASSERT_TRUE(std::filesystem::exists(in(folder_name) / "checkpoint.bin"));
    const Outcome outcome = run({"resume", folder_name});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, testing::HasSubstr("going on from the checkpoint"));
    EXPECT_EQ(contents(in("out.png")), expected) << moment;
    EXPECT_FALSE(std::filesystem::exists(in(folder_name) / "checkpoint.bin"));
    expect_refusal({"resume", folder_name}, kUsage, {"is finished"});
    ++kills;
  }
  EXPECT_EQ(kills, 3);
}

/// Kills a refinement in tiles and goes on with it.
TEST_F(Refine, TilesAreResumedToTheSameBytes) {
  put("in.png", test_picture(100, 90, 1));
  const Words how =
      refine({"--task", "denoise", "--sigma", "51", "--tile", "64", "--manifest", "m.json"}) +
      Words{"--preview", "p.png", "--iterations", "80"};
  const Outcome whole = run(how);
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.err, testing::HasSubstr("in 4 tiles of 64 px, each with a fit and a chain"));
  EXPECT_THAT(whole.err, testing::HasSubstr("wrote out.png (90x100 px"));
  EXPECT_EQ(get("p.png").width(), 90);
  auto manifest = nlohmann::json::parse(contents(in("m.json")));
  EXPECT_EQ(manifest["result"]["tiling"]["done"], 4);
  EXPECT_EQ(manifest["options"]["sampler"], "ddim");
  EXPECT_EQ(manifest["model"]["name"], "model");
  const std::string expected = contents(in("out.png"));
  std::filesystem::remove(in("out.png"));
  {
    Process process(folder(), how + Words{"--run", "kept"});
    ASSERT_TRUE(process.wait_for("refine tile 1/4"));
    process.send(SIGKILL);
    process.wait();
  }
  const Outcome outcome = run({"resume", "kept"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::HasSubstr("going on with the tiles that are not done"));
  EXPECT_EQ(contents(in("out.png")), expected);
  expect_refusal({"resume", "kept"}, kUsage, {"is finished"});
}

TEST_F(Refine, TilesWithWrongFilesLeaveNoRunBehind) {
  put("in.png", test_picture(100, 90, 1));
  put("mask.png", Image(1, 100, 91, 1.f));
  const Words inpaint = refine({"--task", "inpaint", "--tile", "64", "--run", "kept"});
  expect_refusal(inpaint + Words{"--mask", "mask.png"}, kFailure, {"mask"});
  EXPECT_FALSE(std::filesystem::exists(in("kept")));
  expect_refusal(inpaint + Words{"--mask", "in.png", "--prior", "input"}, kUsage, {"give --start"});
  const Words denoise = refine({"--task", "denoise", "--tile", "64", "--run", "kept"});
  expect_refusal(denoise + Words{"--watch", "wmv"}, kUsage, {"--watch"});
  EXPECT_FALSE(std::filesystem::exists(in("kept")));
}

TEST_F(Refine, TilesStartFromAFileOfThePriorOrFromNothing) {
  put("in.png", test_picture(100, 90, 1));
  put("prior.png", test_picture(100, 90, 1));
  const Words how = refine({"--task", "denoise", "--sigma", "51", "--tile", "64"});
  const Outcome outcome = run(how + Words{"--prior-file", "prior.png"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::HasSubstr("in 4 tiles of 64 px, each with a chain of its own"));
  EXPECT_EQ(run(how + Words{"--prior", "none"}).code, 0);
  const Outcome estimate = run(how + Words{"--prior-file", "prior.png", "--estimate"});
  EXPECT_THAT(estimate.out, testing::ContainsRegex("in.png: 4 tiles, about .* GiB"));
  put("prior.png", test_picture(100, 91, 1));
  expect_refusal(how + Words{"--prior-file", "prior.png"}, kFailure,
                 {"--prior-file", "it is 91x100 px", "90x100"});
  expect_refusal(how + Words{"--save-prior", "p.tif"}, kUsage, {"--save-prior", "in tiles"});
}

TEST_F(Refine, ARegionIsRefinedAlone) {
  put("in.png", test_picture(40, 30, 1));
  const Words how = refine({"--task", "upscale", "--factor", "2", "--region", "3,5,16x20"});
  put("prior.png", test_picture(80, 60, 1));
  const Outcome outcome = run(how + Words{"--prior-file", "prior.png", "--start", "100"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(get("out.png").width(), 32);
  EXPECT_EQ(get("out.png").height(), 40);
  const std::string expected = contents(in("out.png"));
  put("prior.png", crop(test_picture(80, 60, 1), 10, 6, 40, 32));  // of the region alone
  ASSERT_EQ(run(how + Words{"--prior-file", "prior.png", "--start", "100"}).code, 0);
  EXPECT_EQ(contents(in("out.png")), expected);
}

TEST_F(Refine, ARunGoesOnWithItsOwnFilesOnly) {
  const Words how = Words{"--task", "denoise", "--sigma", "51", "--run", "kept"};
  ASSERT_EQ(run(refine(how)).code, 0);
  expect_refusal(refine(how), kUsage, {"holds a refinement already"});
  std::filesystem::remove(in("kept") / "manifest.json");  // as if it had been killed at its end
  put("in.png", test_picture(8, 9, 1));
  expect_refusal({"resume", "kept"}, kFailure, {"in.png", "is not the one"});
  put("in.png", test_picture(8, 8, 1));
  EXPECT_EQ(run({"resume", "kept"}).code, 0);
  std::filesystem::remove(in("kept") / "manifest.json");
  std::filesystem::remove_all(in("model"));
  write_diffusers(in("model"), test::tiny_model(1, true));
  expect_refusal({"resume", "kept"}, kFailure, {"the model is not the one"});
}

TEST_F(Refine, AFileWithoutItsEndIsSaid) {
  put("in.jpg", test_picture(64, 64, 1));
  const std::string whole = contents(in("in.jpg"));
  std::ofstream(in("in.jpg"), std::ios::binary) << whole.substr(0, whole.size() * 2 / 3);
  const Outcome outcome = run(Words{"refine", "in.jpg", "-o", "o.png", "--model", "model",
                                    "--steps", "3", "--task", "denoise", "--sigma", "50"} +
                              kTiny);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::HasSubstr("warning: in.jpg: the file is damaged or ends"));
}

}  // namespace refine_test
}  // namespace unmar::cli_test
