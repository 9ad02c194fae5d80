#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "tasks/stopping.h"
#include "tasks/support.h"

namespace unmar::tasks_test {
namespace options_test {

constexpr Task kTasks[] = {Task::denoise, Task::inpaint, Task::upscale, Task::deblur};

RestoreOptions needed(Task task) {
  RestoreOptions options;
  if (task == Task::upscale) options.factor = 4;
  if (task == Task::deblur) options.blur = "gauss:2";
  return options;
}

TEST(Options, NamesAreUniqueAndEveryOneIsExplained) {
  std::set<std::string> names;
  for (const OptionSpec& spec : option_table()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_FALSE(spec.help.empty()) << spec.name;
    EXPECT_FALSE(spec.group.empty()) << spec.name;
    EXPECT_FALSE(allowed_values(spec).empty()) << spec.name;
  }
}

TEST(Options, EveryPresetGivesEveryOptionOfEveryTaskAValueInItsRange) {
  for (const Task task : kTasks)
    for (const Preset preset : {Preset::quick, Preset::paper}) {
      RestoreOptions given = needed(task);
      given.preset = preset;
      const RestoreOptions resolved = resolve(task, given);
      EXPECT_NO_THROW(resolve(task, resolved)) << to_string(task);  // checks the ranges
      for (const OptionSpec& spec : option_table()) {
        const bool unset = spec.name == "sigma" || spec.name == "noise" || spec.name == "watch" ||
                           spec.name == "max-memory" || spec.name == "mask-colour";
        const bool expected = spec.serves(task) && !unset && !spec.for_gan;
        EXPECT_EQ(spec.get(resolved).has_value(), expected) << to_string(task) << " " << spec.name;
      }
    }
}

TEST(Options, WhatIsResolvedHasAllThatAFitNeeds) {
  for (const Task task : kTasks)
    for (const Preset preset : {Preset::quick, Preset::best, Preset::paper})
      for (const std::string& network : network_names()) {
        RestoreOptions given = needed(task);
        given.preset = preset;
        given.network = network;
        const RestoreOptions resolved = resolve(task, given);
        EXPECT_NO_THROW(network_options(resolved)) << to_string(task) << " " << network;
        EXPECT_NO_THROW(problem_options(resolved)) << to_string(task) << " " << network;
        EXPECT_NO_THROW(fit_options(resolved)) << to_string(task) << " " << network;
        EXPECT_NO_THROW(stage_options(resolved)) << to_string(task) << " " << network;
      }
}

TEST(Options, TopChannelsDoubleUntilTheyAreThoseOfTheNetwork) {
  RestoreOptions given{.scales = 5, .channels = 100, .top_channels = 16, .one_by_one = false};
  const auto network = std::get<SkipOptions>(network_options(resolve(Task::denoise, given)));
  EXPECT_EQ(network.down, (std::vector{16, 32, 64, 100, 100}));
  EXPECT_EQ(network.up, network.down);
  EXPECT_FALSE(network.one_by_one_up);
}

TEST(Options, ResolvingTwiceChangesNothing) {
  for (const Task task : kTasks) {
    const RestoreOptions once = resolve(task, needed(task));
    const RestoreOptions twice = resolve(task, once);
    for (const OptionSpec& spec : option_table())
      EXPECT_EQ(spec.get(once), spec.get(twice)) << spec.name;
  }
}

TEST(Options, EveryValueSurvivesTheWayThroughItsOptionValue) {
  for (const Task task : kTasks) {
    const RestoreOptions resolved = resolve(task, needed(task));
    RestoreOptions copy;
    for (const OptionSpec& spec : option_table())
      if (const auto value = spec.get(resolved)) set_option(copy, task, spec, *value);
    for (const OptionSpec& spec : option_table())
      EXPECT_EQ(spec.get(copy), spec.get(resolved)) << spec.name;
  }
}

TEST(Options, WhatTheUserGivesOverridesThePreset) {
  RestoreOptions given;
  given.iterations = 17;
  given.average = false;
  const RestoreOptions resolved = resolve(Task::denoise, given);
  EXPECT_EQ(resolved.iterations, 17);
  EXPECT_EQ(resolved.average, false);
}

TEST(Options, ANumberOutOfRangeIsRefusedWithItsRangeAndValue) {
  RestoreOptions given;
  given.sigma = -3;
  EXPECT_EQ(error_of([&] { resolve(Task::denoise, given); }),
            "denoise: `sigma` must be between 0 and 255, got -3 (standard deviation of the noise)");
}

TEST(Options, AFactorThatIsNotServedIsRefusedWithTheServedOnes) {
  RestoreOptions given;
  given.factor = 5;
  EXPECT_THAT(error_of([&] { resolve(Task::upscale, given); }),
              testing::StartsWith("upscale: `factor` must be 2, 3, 4 or 8, got 5"));
}

TEST(Options, UpscaleWithoutAFactorIsRefused) {
  EXPECT_EQ(error_of([] { resolve(Task::upscale, {}); }),
            "upscale: `factor` is missing; give 2, 3, 4 or 8");
}

TEST(Options, NotANumberIsRefused) {
  RestoreOptions given;
  given.lr = std::nan("");
  EXPECT_THAT(error_of([&] { resolve(Task::denoise, given); }), testing::HasSubstr("`lr`"));
}

TEST(Options, AnOptionOfAnotherTaskIsRefused) {
  RestoreOptions given;
  given.sigma = 25;
  EXPECT_EQ(error_of([&] { resolve(Task::inpaint, given); }),
            "inpaint: `sigma` is not an option of this task; it belongs to denoise or deblur");
}

TEST(Options, TextThatIsNoNumberIsRefusedInQuotes) {
  RestoreOptions options;
  for (const char* text : {"", "many", "12x", "1.5", "99999999999999999999"})
    EXPECT_THAT(
        error_of([&] { parse_option(options, Task::denoise, option_spec("iterations"), text); }),
        testing::HasSubstr("a whole number from 1 to 1000000, got '" + std::string(text)));
}

TEST(Options, AChoiceIsTakenByItsNameAndNothingElse) {
  RestoreOptions options;
  parse_option(options, Task::denoise, option_spec("stop"), "emv");
  EXPECT_EQ(options.stop, StopRule::emv);
  EXPECT_THAT(error_of([&] { parse_option(options, Task::denoise, option_spec("stop"), "wm"); }),
              testing::StartsWith("denoise: `stop` must be auto, none, wmv, emv, held-out, "
                                  "self-reference, discrepancy, sure or stages, got wm"));
}

TEST(Options, ThePageInTheDocsIsTheOneOfThisTable) {
  std::ifstream file(UNMAR_DOCS "/options.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(page == options_markdown())
      << "docs/options.md is out of date; run: unmar options > docs/options.md";
}

}  // namespace options_test
}  // namespace unmar::tasks_test
