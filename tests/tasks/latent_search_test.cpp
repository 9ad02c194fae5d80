#include "unmar/tasks/latent_search.h"

#include <algorithm>

#include "tasks/support.h"

namespace unmar {
namespace latent_search_test {

using namespace tasks_test;
using testing::HasSubstr;

GanModel shipped() { return read_gan(UNMAR_MODELS "/fashion-mnist-gan"); }

/// Picture `number` of seed 7, which no search starts from.
Image own_sample(const GanModel& model, int number) {
  GanGenerator generator(model, {.batch = 1});
  Tensor picture = generator.pictures(latent_of(model.gan, 7, number, 1));
  for (float& v : picture.values()) v = 0.5f * v + 0.5f;
  return to_image(picture);
}

Image half_known(const Image& picture) {
  Image mask(1, picture.height(), picture.width());
  for (std::size_t i = 0; i < mask.count(); ++i) mask.pixels()[i] = i % 3 == 0 ? 1.f : 0.f;
  return mask;
}

TEST(LatentSearch, RecoversPicturesThatTheGeneratorMade) {
  const GanModel model = shipped();
  LatentOptions options;
  options.weight_iterations = 0;
  double sum = 0;
  for (const int number : {0, 1, 2}) {
    const Image truth = own_sample(model, number), mask = half_known(truth);
    Image damaged = truth;
    for (std::size_t i = 0; i < mask.count(); ++i)
      if (mask.pixels()[i] == 0.f) damaged.pixels()[i] = 0.f;
    const LatentResult found = latent_search(Task::inpaint, damaged, &mask, {}, model, options);
    EXPECT_EQ(found.iterations, options.starts * options.latent_iterations);
    EXPECT_GT(found.macs, 0u);
    const double db = psnr(found.image, truth);
    EXPECT_GT(db, 25) << number;
    sum += db;
  }
  EXPECT_GT(sum / 3, 30);
}

TEST(LatentSearch, TheGeneratorsOwnWeightsComeNearerToAPictureThatItCannotMake) {
  const GanModel model = shipped();
  const Image truth = test_picture(28, 28, 1);
  Image mask(1, 28, 28, 1.f);
  mask.at(0, 10, 10) = 0.f;
  LatentOptions options;
  options.starts = 1;
  options.latent_iterations = 50;
  options.weight_iterations = 0;
  const auto distance = [&] {
    const Tensor found =
        to_tensor(latent_search(Task::inpaint, truth, &mask, {}, model, options).image);
    return std::abs(found.at(0, 0, 10, 10) - truth.at(0, 10, 10));
  };
  const float latent_alone = distance();
  options.weight_iterations = 100;
  EXPECT_LT(distance(), latent_alone);
}

TEST(LatentSearch, SaysWhatItCannotDo) {
  const GanModel model = shipped();
  const auto error = [&](const Image& picture, ErrorCode code, std::stop_token cancel = {}) {
    return error_of(
        [&] {
          RestoreOptions known;
          known.sigma = 25;
          latent_search(Task::denoise, picture, nullptr, known, model, {}, {}, cancel);
        },
        code);
  };
  EXPECT_THAT(error(test_picture(28, 28, 3), ErrorCode::bad_input),
              HasSubstr("28x28 px with 1 channels, but the result has 28x28 px with 3"));
  EXPECT_THAT(error(test_picture(32, 28, 1), ErrorCode::bad_input), HasSubstr("28x32 px"));
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(error(test_picture(28, 28, 1), ErrorCode::cancelled, source.get_token()).empty());
}

}  // namespace latent_search_test
}  // namespace unmar
