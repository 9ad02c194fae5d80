#include <algorithm>

#include "cli/support.h"

namespace unmar::cli_test {
namespace help_test {

class Help : public CliTest {
 protected:
  void expect_golden(const Words& arguments, const std::string& name) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.out, contents(std::filesystem::path(UNMAR_GOLDEN) / name))
        << "if this is meant: unmar " << (arguments.size() > 1 ? arguments[0] + " " : "")
        << "--help > tests/cli/golden/" << name;
    EXPECT_LE(longest_line(outcome.out), 100u);
  }
  static std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0, start = 0;
    for (std::size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1)
      longest = std::max(longest, end - start);
    return longest;
  }
};

TEST_F(Help, OfTheProgramIsTheGoldenOne) { expect_golden({"--help"}, "unmar.txt"); }

TEST_F(Help, OfEveryCommandIsTheGoldenOne) {
  for (const std::string name :
       {"denoise", "inpaint", "upscale", "deblur", "refine", "resume", "pick", "degrade", "compare",
        "compare-priors", "sheet", "networks", "profile", "plan", "work", "join", "slurm", "info"})
    expect_golden({name, "--help"}, name + ".txt");
  expect_golden({"networks", "show", "--help"}, "networks_show.txt");
  expect_golden({"ddpm", "--help"}, "ddpm.txt");
  expect_golden({"gan", "--help"}, "gan.txt");
  for (const std::string name : {"train", "sample"})
    for (const std::string kind : {"ddpm", "gan"})
      expect_golden({kind, name, "--help"}, kind + "_" + name + ".txt");
}

TEST_F(Help, AllShowsEveryOptionAndHelpTheMostUsedOnes) {
  for (const std::string name : {"denoise", "inpaint", "upscale", "deblur", "refine"}) {
    const Outcome all = run({name, "--help-all"}), some = run({name, "--help"});
    EXPECT_EQ(all.code, 0);
    EXPECT_LE(longest_line(all.out), 100u);
    EXPECT_GT(all.out.size(), 3 * some.out.size()) << name;
    for (const char* option : {"--seed", "--preset", "-o, --output", "--help-all"})
      EXPECT_THAT(some.out, testing::HasSubstr(option)) << name;
    for (const char* option : {"--seed", "--tv-weight", "--upsample", "--max-pixels"})
      EXPECT_THAT(all.out, testing::HasSubstr(option)) << name;
    EXPECT_THAT(some.out, testing::Not(testing::HasSubstr("--tv-weight"))) << name;
  }
}

TEST_F(Help, TheSchemaHasEveryOptionWithItsRange) {
  const auto schema =
      nlohmann::json::parse(run({"options", "--schema", "denoise"}).out, nullptr, false);
  ASSERT_TRUE(schema.is_object());
  const auto& options = schema["properties"];
  EXPECT_EQ(options["sigma"]["maximum"], 255);
  EXPECT_EQ(options["iterations"]["type"], "integer");
  EXPECT_EQ(options["iterations"]["default"], 1500);
  EXPECT_EQ(options["average"]["type"], "boolean");
  EXPECT_THAT(options["method"]["enum"], testing::ElementsAre("auto", "patches", "dip"));
  EXPECT_FALSE(options.contains("factor"));
  EXPECT_THAT(nlohmann::json::parse(
                  run({"options", "--schema", "upscale"}).out)["properties"]["factor"]["enum"],
              testing::ElementsAre(2, 3, 4, 8));
  const auto deblur = nlohmann::json::parse(run({"options", "--schema", "deblur"}).out);
  EXPECT_THAT(deblur["required"], testing::ElementsAre("blur"));
  EXPECT_FALSE(deblur["properties"]["blur"].contains("enum"));
  expect_refusal({"options", "--schema", "draw"}, 2, {"no schema of 'draw'", "ddpm train"});
}

TEST_F(Help, EveryCommandWithATableHasASchema) {
  const auto options = [&](const std::string& command) {
    return nlohmann::json::parse(run({"options", "--schema", command}).out)["properties"];
  };
  EXPECT_EQ(options("refine")["steps"]["default"], 50);
  EXPECT_EQ(options("refine")["start"]["default"], "auto");
  EXPECT_FALSE(options("refine")["eta"].contains("default"));
  EXPECT_EQ(options("ddpm train")["block-out-channels"]["default"], "64,128,128");
  EXPECT_FALSE(options("ddpm train")["size"].contains("default"));
  EXPECT_EQ(options("ddpm sample")["count"]["default"], 16);
  EXPECT_THAT(options("degrade")["shrink"]["enum"], testing::ElementsAre(2, 3, 4, 8));
  EXPECT_EQ(options("degrade")["clip"]["default"], true);
}

TEST_F(Help, IsWhatNoArgumentsGive) { EXPECT_EQ(run({}).out, run({"--help"}).out); }

TEST_F(Help, VersionIsOneLine) {
  EXPECT_THAT(run({"--version"}).out, testing::MatchesRegex("unmar [0-9.]+\n"));
}

TEST_F(Help, InfoNamesTheEnginesAndThePicture) {
  EXPECT_THAT(run({"info"}).out, testing::HasSubstr("  ref "));
  put("a.png", test_picture(12, 34));
  EXPECT_THAT(
      run({"info", "a.png"}).out,
      testing::MatchesRegex("a.png: 34x12 px, RGB, 8 bit, png\nwhite noise, sigma [0-9.]+\n"));
}

}  // namespace help_test
}  // namespace unmar::cli_test
