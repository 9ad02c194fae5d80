#include "unmar/tasks/refine.h"

#include <algorithm>
#include <limits>

#include "tasks/support.h"
#include "tiny_model.h"
#include "unmar/base/random.h"

namespace unmar {
namespace refine_test {

using namespace tasks_test;
using test::tiny_model;
using testing::HasSubstr;

RefineOptions tiny_refine(int steps = 4) { return {.restore = tiny(6), .steps = steps}; }

Image gray(int height = 8, int width = 8) { return test_picture(height, width, 1); }

/// Every other pixel is known.
Image half_mask(int height = 8, int width = 8) {
  Image mask(1, height, width);
  for (std::size_t i = 0; i < mask.count(); i += 2) mask.pixels()[i] = 1.f;
  return mask;
}

Refined refine_denoise(const RefineOptions& options, const RefineContext& context = {},
                       DiffusersModel model = tiny_model()) {
  return refine(Task::denoise, gray(), nullptr, std::move(model), options, context);
}

bool same_pixels(const Image& a, const Image& b) {
  return a.same_size(b) && std::ranges::equal(a.pixels(), b.pixels());
}

double rms_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i)
    sum += std::pow(static_cast<double>(a.pixels()[i]) - static_cast<double>(b.pixels()[i]), 2);
  return std::sqrt(sum / static_cast<double>(a.count()));
}

TEST(GeneratePrior, is_the_restoration_of_the_same_options) {
  RestoreOptions options = tiny(6);
  options.sigma = 51;
  const Prior prior = generate_prior(Task::denoise, gray(), nullptr, options);
  EXPECT_TRUE(same_pixels(prior.restored.image, denoise(gray(), options).image));
  EXPECT_NEAR(prior.error.noise, 0.2, 1e-9);
  EXPECT_NEAR(prior.error.rmse, 0.1, 1e-9);
}

TEST(GeneratePrior, takes_the_residual_for_noise_that_is_not_known) {
  const Prior prior = generate_prior(Task::denoise, gray(), nullptr, tiny(6));
  EXPECT_NEAR(prior.error.noise, rms_difference(prior.restored.image, gray()), 1e-6);
  EXPECT_EQ(prior.error.rmse, prior.error.noise / 2);
}

TEST(GeneratePrior, inpaints_with_some_known_pixels_hidden_to_see_its_error) {
  const Image picture = gray(24, 32);
  const Image mask = half_mask(24, 32);
  RestoreOptions options = tiny(60);
  options.average = false;
  options.keep_known = false;
  options.watch = "wmv";
  const Prior prior = generate_prior(Task::inpaint, picture, &mask, options);
  ASSERT_EQ(prior.restored.fit.watched.size(), 2u);
  EXPECT_EQ(prior.restored.fit.watched[0].name, "wmv");
  EXPECT_EQ(*prior.restored.options.held_out, 0.1);  // 64 of 384 would be more
  // 38 values tell the error of all to about a fifth; missing pixels are like the hidden ones.
  EXPECT_NEAR(prior.error.rmse, rms_difference(prior.restored.image, picture),
              0.5 * prior.error.rmse);
}

TEST(GeneratePrior, of_too_few_known_pixels_counts_on_no_more_than_their_mean) {
  const Image mask = half_mask();
  const Prior prior = generate_prior(Task::inpaint, gray(), &mask, tiny(6));
  EXPECT_TRUE(prior.restored.fit.watched.empty());
  EXPECT_NEAR(prior.error.rmse, 0.2, 0.1);  // the spread of the picture
}

TEST(GeneratePrior, enlarges_worse_what_has_more_detail) {
  RestoreOptions options = tiny(3);
  const auto error = [&](const Image& small, int factor) {
    options.factor = factor;
    return generate_prior(Task::upscale, small, nullptr, options).error.rmse;
  };
  Image noise = gray();
  Random(1, "noise").uniform(noise.pixels(), 0.f, 1.f);
  EXPECT_LT(error(Image(1, 8, 8, 0.5f), 2), 1e-5);
  EXPECT_LT(error(gray(), 2), 0.5 * error(noise, 2));
  EXPECT_NEAR(error(noise, 4) / error(noise, 2), std::sqrt(2), 1e-6);
  EXPECT_GT(error(Image(1, 1, 5, 0.5f), 2), -1);  // a side of 1: nothing to halve
}

TEST(Refine, enters_where_the_noise_is_as_many_times_the_error_of_the_prior_as_asked) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  const NoiseSchedule schedule;
  EXPECT_EQ(refine_denoise(options).start, entry_timestep(schedule, 0.2, 1));
  options.entry_factor = 2;
  const Refined refined = refine_denoise(options);
  ASSERT_TRUE(refined.error);
  EXPECT_EQ(refined.start, entry_timestep(schedule, 0.2, 2));
  EXPECT_GE(schedule.sigma(refined.start), 2 * 0.2);  // as noisy as the picture, in [-1,1] units
  EXPECT_LT(schedule.sigma(refined.start - 1), 2 * 0.2);
  EXPECT_EQ(refined.evaluations, 4);
  EXPECT_EQ(refined.timesteps, 4);
  ASSERT_TRUE(refined.fit);
  EXPECT_EQ(refined.fit->fit.iterations, 6);
}

TEST(Refine, fits_the_prior_that_its_options_alone_would_give) {
  const Image picture = gray(24, 32), mask = half_mask(24, 32);
  const RefineOptions options = tiny_refine();
  const Refined refined = refine(Task::inpaint, picture, &mask, tiny_model(), options);
  const Prior prior = generate_prior(Task::inpaint, picture, &mask, options.restore);
  EXPECT_EQ(refined.fit->options.held_out, prior.restored.options.held_out);
  EXPECT_EQ(refined.error->rmse, prior.error.rmse);
}

TEST(Refine, noises_the_prior_as_much_as_its_start_says) {
  // A model that sees no noise takes none away: what comes out is the prior with its noise.
  const Image prior(1, 64, 64, 0.5f);
  RefineOptions options = tiny_refine(1);
  options.start = 100;
  options.consistency = Consistency::none;
  RefineContext context;
  context.prior = &prior;
  const Refined refined =
      refine(Task::denoise, prior, nullptr, tiny_model(1, true), options, context);
  EXPECT_FALSE(refined.fit);
  const double sigma = NoiseSchedule().sigma(100) / 2;
  EXPECT_NEAR(rms_difference(refined.image, prior), sigma, 0.05 * sigma);  // 4096 draws
}

TEST(Refine, takes_no_more_steps_than_there_are_timesteps) {
  RefineOptions options = tiny_refine(50);
  options.start = 2;
  EXPECT_EQ(refine_denoise(options).evaluations, 3);
  options.start = 0;
  EXPECT_EQ(refine_denoise(options).evaluations, 1);
}

TEST(Refine, without_a_prior_fits_nothing_and_starts_from_noise) {
  RefineOptions options = tiny_refine();
  options.from = StartFrom::noise;
  options.restore.sigma = 51;
  const Refined refined = refine_denoise(options);
  EXPECT_EQ(refined.start, 999);
  EXPECT_FALSE(refined.fit);
  EXPECT_TRUE(refined.prior.empty());
  options.restore.iterations = 9;
  EXPECT_TRUE(same_pixels(refine_denoise(options).image, refined.image));
  options.restore.seed = 4;
  EXPECT_FALSE(same_pixels(refine_denoise(options).image, refined.image));
}

TEST(Refine, from_the_damaged_picture_itself_counts_on_all_of_its_noise) {
  RefineOptions options = tiny_refine();
  options.from = StartFrom::input;
  options.restore.sigma = 51;
  const Refined refined = refine_denoise(options);
  EXPECT_FALSE(refined.fit);
  EXPECT_TRUE(same_pixels(refined.prior, gray()));
  EXPECT_EQ(refined.start, entry_timestep(NoiseSchedule(), 0.4, 1));
}

TEST(Refine, gives_the_same_again_and_never_looks_at_the_reference) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  const Refined refined = refine_denoise(options);
  RefineContext context;
  const Image reference(1, 8, 8, 0.25f);
  context.restore.reference = &reference;
  const Refined measured = refine_denoise(options, context);
  EXPECT_TRUE(same_pixels(measured.image, refined.image));
  EXPECT_FALSE(refined.psnr);
  EXPECT_EQ(*measured.psnr, psnr(measured.image, reference));
  EXPECT_EQ(*measured.ssim_prior, ssim(measured.prior, reference));
  EXPECT_EQ(*measured.psnr_input, psnr(gray(), reference));
}

TEST(Refine, from_a_prior_that_is_saved_gives_what_its_fit_gave) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  const Refined refined = refine_denoise(options);
  RefineContext context;
  context.prior = &refined.prior;
  const Refined again = refine_denoise(options, context);
  EXPECT_FALSE(again.fit);
  EXPECT_EQ(again.start, refined.start);
  EXPECT_TRUE(same_pixels(again.image, refined.image));
}

TEST(Refine, known_pixels_stay_under_ddnm_and_repaint_alone) {
  const Image mask = half_mask();
  for (const Consistency consistency :
       {Consistency::none, Consistency::ddnm, Consistency::repaint}) {
    RefineOptions options = tiny_refine();
    options.restore.keep_known = false;
    options.start = 500;
    options.consistency = consistency;
    const Refined refined = refine(Task::inpaint, gray(), &mask, tiny_model(), options);
    float worst = 0;
    for (std::size_t i = 0; i < mask.count(); i += 2)
      worst = std::max(worst, std::abs(refined.image.pixels()[i] - gray().pixels()[i]));
    if (consistency == Consistency::none)
      EXPECT_GT(worst, 0.05f);
    else
      EXPECT_LE(worst, 1e-6f);
  }
}

TEST(Refine, an_enlarged_picture_is_the_small_one_when_reduced) {
  RefineOptions options = tiny_refine();
  options.restore.factor = 2;
  options.restore.kernel = ReduceKernel::box;
  options.start = 60;
  const auto distance = [&](Consistency consistency) {
    options.consistency = consistency;
    const Refined refined = refine(Task::upscale, gray(), nullptr, tiny_model(1, true), options);
    const auto A = make_reduction(ReduceKernel::box, 2);
    return rms_difference(to_image(apply(*A, to_tensor(refined.image))), gray());
  };
  EXPECT_LE(distance(Consistency::ddnm), 1e-3);  // a few values are clamped to [0,1]
  EXPECT_GT(distance(Consistency::none), 0.02);
  EXPECT_LT(distance(Consistency::dps), 0.9 * distance(Consistency::none));
}

TEST(Refine, ties_each_step_to_the_picture_unless_that_is_noisy) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  const Refined denoised = refine_denoise(options);
  EXPECT_EQ(denoised.options.consistency, Consistency::none);
  EXPECT_EQ(denoised.options.eta, 0);
  options.restore.sigma = std::nullopt;
  const Image mask = half_mask();
  options.start = 9;
  const Refined inpainted = refine(Task::inpaint, gray(), &mask, tiny_model(), options);
  EXPECT_EQ(inpainted.options.consistency, Consistency::ddnm);
  EXPECT_EQ(inpainted.options.eta, 0.85);
}

TEST(Refine, counts_the_passes_of_dps) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  options.consistency = Consistency::dps;
  const Refined refined = refine_denoise(options);
  EXPECT_EQ(refined.evaluations, 4);
  EXPECT_EQ(refined.gradients, 4);
}

TEST(Refine, cuts_larger_pictures_into_windows) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  options.overlap = 4;
  const Refined refined = refine(Task::denoise, gray(11, 16), nullptr, tiny_model(), options);
  EXPECT_EQ(refined.windows, 2 * 3);
  EXPECT_EQ(refined.evaluations, 4 * 6);
  EXPECT_EQ(refined.image.width(), 16);
  EXPECT_EQ(refined.image.height(), 11);
}

TEST(Refine, cancelled_gives_the_estimate_so_far) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  std::stop_source stop;
  RefineContext context;
  context.restore.cancel = stop.get_token();
  context.on_step = [&](const SampleProgress& progress) {
    if (progress.done == 2) stop.request_stop();
  };
  const Refined in_chain = refine_denoise(options, context);
  EXPECT_TRUE(in_chain.cancelled);
  EXPECT_EQ(in_chain.evaluations, 2);

  std::stop_source early;
  context.restore.cancel = early.get_token();
  context.restore.on_iteration = [&](const FitProgress&) { early.request_stop(); };
  const Refined in_fit = refine_denoise(options, context);
  EXPECT_TRUE(in_fit.cancelled);
  EXPECT_EQ(in_fit.evaluations, 0);
  EXPECT_TRUE(same_pixels(in_fit.image, in_fit.prior));
}

TEST(Refine, a_prior_of_no_weight_in_the_start_is_none) {
  RefineOptions options = tiny_refine();
  options.restore.sigma = 51;
  options.prior_weight = 0.0;
  const Image prior(1, 8, 8, 0.5f);
  RefineContext context;
  context.prior = &prior;
  const Refined blended = refine_denoise(options, context);
  EXPECT_EQ(blended.start, 999);
  options.prior_weight = std::nullopt;
  options.from = StartFrom::noise;
  EXPECT_TRUE(same_pixels(blended.image, refine_denoise(options).image));
  options.from = StartFrom::prior;
  options.prior_weight = 0.5;
  EXPECT_FALSE(same_pixels(blended.image, refine_denoise(options, context).image));
}

TEST(Refine, refuses_pictures_that_the_model_is_not_for) {
  const auto error = [](const Image& picture, const DiffusersModel& model) {
    return error_of([&] { refine(Task::denoise, picture, nullptr, model, tiny_refine()); },
                    ErrorCode::bad_input);
  };
  EXPECT_THAT(error(test_picture(8, 8, 3), tiny_model()),
              HasSubstr("the model is for gray pictures but the given one is RGB"));
  EXPECT_THAT(error(gray(), tiny_model(3)), HasSubstr("is for RGB pictures"));
  EXPECT_THAT(error(gray(8, 7), tiny_model()), HasSubstr("8x8 px or more but the result is 7x8"));
  DiffusersModel no_size = tiny_model();
  no_size.unet.sample_size = 0;
  EXPECT_THAT(error(gray(), no_size), HasSubstr("sample_size"));
}

TEST(Refine, refuses_options_that_contradict_each_other) {
  const auto error = [](auto change, const Image* prior = nullptr) {
    RefineOptions options = tiny_refine();
    change(options);
    RefineContext context;
    context.prior = prior;
    return error_of([&] { refine_denoise(options, context); });
  };
  using O = RefineOptions;
  EXPECT_THAT(error([](O& o) { o.start = 1000; }), HasSubstr("0 to 999"));
  EXPECT_THAT(error([](O& o) { o.start = 5, o.from = StartFrom::noise; }),
              HasSubstr("leave `start` out"));
  EXPECT_THAT(error([](O& o) { o.from = StartFrom::input; }), HasSubstr("give `sigma`"));
  EXPECT_THAT(error([](O& o) { o.steps = 0; }), HasSubstr("steps must be 1 or more, got 0"));
  EXPECT_THAT(error([](O& o) { o.sampler = "dpm-solver++", o.consistency = Consistency::ddnm; }),
              HasSubstr("has none"));
  EXPECT_THAT(error([](O& o) { o.eta = 0, o.consistency = Consistency::ddnm; }),
              HasSubstr("ddim with `eta` 0 has none"));
  EXPECT_THAT(error([](O& o) { o.eta = 0.5, o.sampler = "ddpm"; }), HasSubstr("of `sampler` ddim"));
  EXPECT_THAT(error([](O& o) { o.sampler = "dpm"; }), HasSubstr("'dpm' is unknown"));
  EXPECT_THAT(error([](O& o) { o.consistency = Consistency::repaint; }), HasSubstr("inpaint"));
  EXPECT_THAT(error([](O& o) { o.prior_weight = 1.5; }), HasSubstr("0 to 1, got 1.5"));
  EXPECT_THAT(error([](O& o) { o.dps_scale = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("dps_scale"));
  const Image mask = half_mask();
  const Image prior = gray();
  RefineContext context;
  context.prior = &prior;
  EXPECT_THAT(
      error_of([&] { refine(Task::inpaint, gray(), &mask, tiny_model(), tiny_refine(), context); }),
      HasSubstr("give `start` T0"));
  const Image other = gray(9, 8);
  context.prior = &other;
  EXPECT_THAT(error_of([&] { refine_denoise(tiny_refine(), context); }, ErrorCode::bad_input),
              HasSubstr("the prior is 8x9 px"));
}

}  // namespace refine_test
}  // namespace unmar
