#include "tasks/support.h"

namespace unmar::tasks_test {
namespace presets_test {

RestoreOptions paper(Task task, const RestoreOptions& more = {}) {
  RestoreOptions given = more;
  given.preset = Preset::paper;
  return resolve(task, given);
}

std::size_t parameters(const RestoreOptions& o) {
  Graph graph;
  const NodeId z = graph.add(Input{Shape{1, *o.input_channels, 64, 64}}, {});
  write_network(graph, z, {1, 3, 64, 64}, network_options(o));
  return graph.param_count();
}

TEST(PaperPreset, DenoisesWithThePublishedRecipe) {
  const RestoreOptions o = paper(Task::denoise);
  EXPECT_EQ(parameters(o), 2'217'831u);  // the published network, counted in the original code
  EXPECT_EQ(o.upsample, UpsampleMode::bilinear);
  EXPECT_EQ(o.border, Border::reflect);
  EXPECT_EQ(o.input, InputKind::uniform);
  EXPECT_EQ(o.iterations, 3000);
  EXPECT_EQ(o.stop, StopRule::none);
  EXPECT_DOUBLE_EQ(*o.lr, 0.01);
  EXPECT_DOUBLE_EQ(*o.reg_noise_std, 1. / 30);
  EXPECT_EQ(o.average, true);
  EXPECT_DOUBLE_EQ(*o.average_decay, 0.99);
  EXPECT_GT(*o.rollback, 0);
}

TEST(PaperPreset, DenoisesStrongNoiseWithMoreJitter) {
  EXPECT_DOUBLE_EQ(*paper(Task::denoise, {.sigma = 49}).reg_noise_std, 1. / 30);
  EXPECT_DOUBLE_EQ(*paper(Task::denoise, {.sigma = 50}).reg_noise_std, 1. / 20);
}

TEST(PaperPreset, InpaintsWithThePublishedTextRecipe) {
  const RestoreOptions o = paper(Task::inpaint);
  EXPECT_EQ(parameters(o), 3'002'627u);
  EXPECT_EQ(o.upsample, UpsampleMode::nearest);
  EXPECT_EQ(o.iterations, 6001);
  EXPECT_EQ(o.stop, StopRule::none);
  EXPECT_DOUBLE_EQ(*o.lr, 0.01);
  EXPECT_DOUBLE_EQ(*o.reg_noise_std, 0.03);
  EXPECT_EQ(o.average, false);
  EXPECT_EQ(o.keep_known, false);
}

TEST(PaperPreset, UpscalesFourTimesWithThePublishedRecipe) {
  const RestoreOptions o = paper(Task::upscale, {.factor = 4});
  EXPECT_EQ(parameters(o), 2'217'831u);
  EXPECT_EQ(o.kernel, ReduceKernel::lanczos2);
  EXPECT_EQ(o.upsample, UpsampleMode::bilinear);
  EXPECT_EQ(o.iterations, 2000);
  EXPECT_DOUBLE_EQ(*o.reg_noise_std, 0.03);
  EXPECT_DOUBLE_EQ(*o.tv_weight, 0);
}

TEST(PaperPreset, UpscalesEightTimesLongerAndWithMoreJitter) {
  const RestoreOptions o = paper(Task::upscale, {.factor = 8});
  EXPECT_EQ(o.iterations, 4000);
  EXPECT_DOUBLE_EQ(*o.reg_noise_std, 0.05);
}

TEST(QuickPreset, IsTheDefaultAndTakesLessWorkThanThePapers) {
  for (const Task task : all_tasks()) {
    RestoreOptions given;
    if (task == Task::upscale) given.factor = 4;
    if (task == Task::deblur) given.blur = "gauss:2";
    const RestoreOptions quick = resolve(task, given), full = paper(task, given);
    EXPECT_EQ(quick.preset, Preset::quick);
    EXPECT_LE(parameters(quick), parameters(full)) << to_string(task);
    EXPECT_LT(*quick.iterations, *full.iterations) << to_string(task);
  }
}

TEST(BestPreset, IsTheMeanOfSeveralLongerFits) {
  for (const Task task : all_tasks()) {
    RestoreOptions given;
    if (task == Task::upscale) given.factor = 4;
    if (task == Task::deblur) given.blur = "gauss:2";
    const RestoreOptions quick = resolve(task, given);
    given.preset = Preset::best;
    const RestoreOptions best = resolve(task, given);
    EXPECT_EQ(quick.runs, 1);
    EXPECT_GT(*best.runs, 1) << to_string(task);
    EXPECT_GT(*best.iterations, *quick.iterations) << to_string(task);
    EXPECT_EQ(best.stop, quick.stop) << to_string(task);
    EXPECT_EQ(best.average, true) << to_string(task);
  }
}

TEST(BestPreset, FitsOtherNetworksLonger) {
  for (const std::string name : {"decoder", "convdecoder", "plain", "resnet"}) {
    const RestoreOptions quick = resolve(Task::denoise, {.network = name});
    const RestoreOptions best = resolve(Task::denoise, {.preset = Preset::best, .network = name});
    EXPECT_EQ(*best.iterations, 2 * *quick.iterations) << name;
  }
}

}  // namespace presets_test
}  // namespace unmar::tasks_test
