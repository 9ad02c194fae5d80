#include "unmar/gan/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "error_text.h"
#include "gan/support.h"
#include "image/support.h"

namespace unmar::gan_test {
namespace model_test {

namespace fs = std::filesystem;
using test::error_text;
using ::testing::HasSubstr;

GanModel trained() {
  const GanTrainerOptions o = small_training();
  GanTrainer trainer(o);
  train(trainer, o, 0, 10);
  return {o.gan, gan_weights(o.gan, trainer.averages())};
}

class GanFolder : public image_test::InFolder {
 protected:
  fs::path model() const { return in("model"); }
  void write(const char* name, const std::string& text) const {
    std::ofstream(model() / name) << text;
  }
  std::string refused() const {
    try {
      read_gan(model());
    } catch (const Error& error) {
      return error.what();
    }
    return "(no error)";
  }
};

TEST_F(GanFolder, comes_back_as_it_was_written) {
  const GanModel written = trained();
  write_gan(model(), written);
  const GanModel read = read_gan(model());
  EXPECT_EQ(read.gan, written.gan);
  ASSERT_EQ(read.generator.tensors.size(), written.generator.tensors.size());
  for (std::size_t i = 0; i < read.generator.tensors.size(); ++i) {
    const NamedTensor &a = read.generator.tensors[i], &b = written.generator.tensors[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_TRUE(std::ranges::equal(a.values.values(), b.values.values())) << a.name;
  }
}

TEST_F(GanFolder, that_is_none_or_damaged_says_so) {
  EXPECT_THAT(refused(), HasSubstr("config.json is missing"));
  write_gan(model(), trained());
  fs::remove(model() / "generator.safetensors");
  EXPECT_THAT(refused(), HasSubstr("generator.safetensors is missing"));
  write("generator.safetensors", "no weights");
  EXPECT_THAT(refused(), HasSubstr("generator.safetensors"));
  write("config.json", "{\"_class_name\": \"UNet2DModel\"}");
  EXPECT_THAT(refused(), HasSubstr("another kind of model, \"UNet2DModel\", not of a GAN"));
  write("config.json", "{}");
  EXPECT_THAT(refused(), HasSubstr("'_class_name' is missing"));
  write("config.json", "[1");
  EXPECT_THAT(refused(), HasSubstr("not a JSON object"));
}

TEST_F(GanFolder, whose_configuration_does_not_suit_is_refused) {
  const auto with = [&](const std::string& from, const std::string& to) {
    const GanModel written = trained();
    write_gan(model(), written);
    std::string text = gan_to_json(written.gan);
    text.replace(text.find(from), from.size(), to);
    write("config.json", text);
    return refused();
  };
  EXPECT_THAT(with("\"size\": 8", "\"size\": 16"), HasSubstr("the configuration makes it"));
  EXPECT_THAT(with("\"size\": 8", "\"size\": 10"), HasSubstr("size must be a multiple of 4"));
  EXPECT_THAT(with("\"size\": 8", "\"size\": \"8\""), HasSubstr("'size' is \"8\"; give a whole"));
  EXPECT_THAT(with("\"latent\"", "\"latents\""), HasSubstr("'latent' is missing"));
  EXPECT_THAT(with("\"kernel\"", "\"colour\": 1, \"kernel\""), HasSubstr("no option 'colour'"));
}

TEST_F(GanFolder, with_numbers_that_are_none_is_refused) {
  GanModel broken = trained();
  broken.generator.tensors[0].values.data()[0] = NAN;
  write_gan(model(), broken);
  EXPECT_THAT(refused(), HasSubstr("1 of its numbers are not finite"));
}

// With running statistics a picture does not depend on those beside it.
TEST(GanGenerator, makes_the_same_picture_alone_and_in_a_batch) {
  const GanModel model = trained();
  GanGenerator four(model, {.batch = 4}), one(model, {.batch = 1});
  const Tensor batch = four.pictures(latent_of(model.gan, 5, 0, 4));
  const std::size_t size = batch.count() / 4;
  for (int i = 0; i < 4; ++i) {
    const Tensor alone = one.pictures(latent_of(model.gan, 5, i, 1));
    const auto part = batch.values().subspan(static_cast<std::size_t>(i) * size, size);
    for (std::size_t p = 0; p < size; ++p) ASSERT_NEAR(alone.data()[p], part[p], 1e-5) << i;
  }
  EXPECT_THAT(error_text([&] { one.pictures(latent_of(model.gan, 5, 0, 2)); }),
              HasSubstr("made for z of [1,4,1,1], got [2,4,1,1]"));
}

TEST(Latent, of_a_picture_depends_on_its_number_alone) {
  const GanOptions o = small_training().gan;
  const Tensor five = latent_of(o, 7, 0, 5), last = latent_of(o, 7, 4, 1);
  EXPECT_TRUE(std::ranges::equal(five.values().last(4), last.values()));
  EXPECT_FALSE(std::ranges::equal(five.values().first(4), last.values()));
}

}  // namespace model_test
}  // namespace unmar::gan_test
