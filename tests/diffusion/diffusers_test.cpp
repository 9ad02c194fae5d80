#include <fmt/format.h>

#include <set>

#include "image/support.h"
#include "support.h"
#include "unmar/diffusion/weights.h"

namespace unmar {
namespace diffusers_test {

using namespace diffusion_test;
using image_test::bytes_of;
using image_test::expect_error;
using image_test::put_bytes;
using testing::Contains;
using testing::HasSubstr;

using Shape64 = std::vector<std::int64_t>;

constexpr const char* kTiny = R"({
  "block_out_channels": [4, 8], "in_channels": 1, "out_channels": 1, "layers_per_block": 1,
  "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
  "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "norm_num_groups": 2,
  "attention_head_dim": 4})";

DdpmUnetOptions tiny() { return ddpm_unet_from_json(kTiny, "config.json"); }

std::int64_t numbers(const TensorSpec& spec) {
  std::int64_t count = 1;
  for (const std::int64_t side : spec.shape) count *= side;
  return count;
}
std::int64_t numbers(const std::vector<TensorSpec>& specs) {
  std::int64_t count = 0;
  for (const TensorSpec& spec : specs) count += numbers(spec);
  return count;
}

TEST(UNetTensors, are_those_of_the_published_networks) {
  const auto cifar = unet_tensors(ddpm_cifar10_unet()), large = unet_tensors(ddpm_256_unet());
  EXPECT_EQ(cifar.size(), 328u);
  EXPECT_EQ(numbers(cifar), 35'746'307);
  EXPECT_EQ(large.size(), 450u);
  EXPECT_EQ(numbers(large), 113'673'219);
}

TEST(UNetTensors, have_names_of_their_own) {
  for (const DdpmUnetOptions& options : {ddpm_cifar10_unet(), ddpm_256_unet(), tiny()}) {
    std::set<std::string> names;
    for (const TensorSpec& spec : unet_tensors(options)) names.insert(spec.name);
    EXPECT_EQ(names.size(), unet_tensors(options).size());
  }
}

TEST(UNetTensors, have_the_shapes_of_diffusers) {
  const auto specs = unet_tensors(ddpm_cifar10_unet());
  for (const TensorSpec& spec :
       std::vector<TensorSpec>{{"conv_in.weight", {128, 3, 3, 3}},
                               {"time_embedding.linear_1.weight", {512, 128}},
                               {"time_embedding.linear_2.bias", {512}},
                               {"down_blocks.0.resnets.0.norm1.weight", {128}},
                               {"down_blocks.1.resnets.0.conv_shortcut.weight", {256, 128, 1, 1}},
                               {"down_blocks.1.resnets.0.time_emb_proj.weight", {256, 512}},
                               {"down_blocks.1.attentions.1.group_norm.weight", {256}},
                               {"down_blocks.1.attentions.1.to_out.0.weight", {256, 256}},
                               {"down_blocks.2.downsamplers.0.conv.weight", {256, 256, 3, 3}},
                               {"mid_block.attentions.0.to_q.bias", {256}},
                               {"mid_block.resnets.1.conv2.weight", {256, 256, 3, 3}},
                               {"up_blocks.0.resnets.2.conv1.weight", {256, 512, 3, 3}},
                               {"up_blocks.2.resnets.2.conv1.weight", {256, 384, 3, 3}},
                               {"up_blocks.3.resnets.0.conv1.weight", {128, 384, 3, 3}},
                               {"up_blocks.3.resnets.2.conv1.weight", {128, 256, 3, 3}},
                               {"up_blocks.2.attentions.2.to_v.weight", {256, 256}},
                               {"up_blocks.2.upsamplers.0.conv.bias", {256}},
                               {"conv_norm_out.bias", {128}},
                               {"conv_out.weight", {3, 128, 3, 3}}})
    EXPECT_THAT(specs, Contains(spec)) << spec.name;
  for (const TensorSpec& spec : specs) {
    EXPECT_THAT(spec.name, testing::Not(HasSubstr("down_blocks.3.downsamplers")));
    EXPECT_THAT(spec.name, testing::Not(HasSubstr("up_blocks.3.upsamplers")));
    EXPECT_THAT(spec.name, testing::Not(HasSubstr("down_blocks.0.attentions")));
  }
}

TEST(SchedulerConfig, reads_the_published_files_and_writes_them_again) {
  const SchedulerConfig c = scheduler_config_from_json(
      R"({"_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_schedule": "linear",
          "beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000,
          "trained_betas": null, "variance_type": "fixed_large"})",
      "s");
  EXPECT_EQ(c.variance, DdpmVariance::fixed_large);
  EXPECT_EQ(c.prediction, Prediction::epsilon);
  EXPECT_NEAR(NoiseSchedule(c.schedule).alpha_bar(500), 0.077797, 5e-7);

  SchedulerConfig other{{BetaSchedule::cosine, 400, 0.001, 0.01},
                        Prediction::v,
                        DdpmVariance::fixed_small,
                        false,
                        false,
                        Spacing::trailing,
                        7};
  const SchedulerConfig back = scheduler_config_from_json(scheduler_config_to_json(other), "s");
  EXPECT_EQ(back.schedule.kind, BetaSchedule::cosine);
  EXPECT_EQ(back.schedule.steps, 400);
  EXPECT_EQ(back.schedule.beta_start, 0.001);
  EXPECT_EQ(back.schedule.beta_end, 0.01);
  EXPECT_EQ(back.prediction, Prediction::v);
  EXPECT_FALSE(back.clip_sample);
  EXPECT_FALSE(back.set_alpha_to_one);
  EXPECT_EQ(back.timestep_spacing, Spacing::trailing);
  EXPECT_EQ(back.steps_offset, 7);
}

TEST(SchedulerConfig, names_the_key_that_will_not_do) {
  const auto expect = [](ErrorCode code, const char* text, const std::string& part) {
    expect_error(code, {"s: ", part}, [&] { scheduler_config_from_json(text, "s"); });
  };
  const auto input = ErrorCode::bad_input, other = ErrorCode::unsupported;
  expect(other, R"({"beta_schedule": "sigmoid"})",
         "one of linear, scaled_linear, squaredcos_cap_v2");
  expect(other, R"({"trained_betas": [0.1]})", "'trained_betas' is [0.1]; it must be null");
  expect(other, R"({"variance_type": "learned_range"})", "one of fixed_small, fixed_large");
  expect(other, R"({"thresholding": true})", "'thresholding' is true; it must be false");
  expect(input, R"({"beta_end": 1.5})", "'beta_end' is 1.5");
  expect(input, R"({"num_train_timesteps": 0})", "'num_train_timesteps' is 0");
  expect(input, R"({"num_train_timesteps": 10, "steps_offset": 10})", "'steps_offset' is 10");
}

TEST(SchedulerConfig, is_judged_by_its_class) {
  for (const char* name :
       {"DDPMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler"})
    EXPECT_EQ(scheduler_config_from_json(
                  fmt::format(R"({{"_class_name": "{}", "num_train_timesteps": 7}})", name), "s")
                  .schedule.steps,
              7);
  for (const char* name : {"FlowMatchEulerDiscreteScheduler", "ScoreSdeVeScheduler",
                           "EDMEulerScheduler", "CMStochasticIterativeScheduler", ""})
    expect_error(ErrorCode::unsupported, {"s: '_class_name' is", name, "DDPMScheduler"}, [&] {
      scheduler_config_from_json(
          fmt::format(R"({{"_class_name": "{}", "num_train_timesteps": 7}})", name), "s");
    });
  expect_error(ErrorCode::unsupported, {"'use_flow_sigmas' is true"}, [&] {
    scheduler_config_from_json(
        R"({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": true})", "s");
  });
}

TEST(SchedulerConfig, may_hold_what_python_writes_for_infinity) {
  const SchedulerConfig c = scheduler_config_from_json(
      R"({"lambda_min_clipped": -Infinity, "a": [Infinity,NaN], "s": "\"NaN\\", "steps_offset": 1})",
      "s");
  EXPECT_EQ(c.steps_offset, 1);
  expect_error(ErrorCode::bad_input, {"'beta_end' is \"Infinity\""},
               [&] { scheduler_config_from_json(R"({"beta_end": Infinity})", "s"); });
}

TEST(AttentionNames, have_an_old_and_a_new_form) {
  for (const auto& [old, today] :
       {std::pair{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}})
    for (const char* part : {"weight", "bias"}) {
      const auto name = [&](const char* layer) {
        return fmt::format("down_blocks.1.attentions.0.{}.{}", layer, part);
      };
      EXPECT_EQ(current_attention_name(name(old)), name(today));
      EXPECT_EQ(old_attention_name(name(today)), name(old));
      EXPECT_EQ(current_attention_name(name(today)), name(today));
    }
}

TEST(AttentionNames, are_the_only_ones_that_change) {
  for (const TensorSpec& spec : unet_tensors(ddpm_cifar10_unet())) {
    const std::string old = old_attention_name(spec.name);
    EXPECT_EQ(current_attention_name(old), spec.name);
    const bool projection = spec.name.find(".attentions.") != std::string::npos &&
                            spec.name.find(".group_norm.") == std::string::npos;
    EXPECT_EQ(old != spec.name, projection) << spec.name;
  }
  EXPECT_EQ(current_attention_name("some.key.weight"), "some.key.weight");
}

Tensor tensor_for(const Shape64& s, std::string_view name) {
  const auto side = [&](std::size_t i) { return i < s.size() ? static_cast<int>(s[i]) : 1; };
  return uniform(
      s.size() == 1 ? Shape{1, side(0), 1, 1} : Shape{side(0), side(1), side(2), side(3)}, name);
}

Weights weights_for(const DdpmUnetOptions& unet) {
  Weights weights;
  for (const TensorSpec& spec : unet_tensors(unet))
    weights.tensors.push_back({spec.name, spec.shape, tensor_for(spec.shape, spec.name)});
  return weights;
}

DiffusersModel tiny_model() {
  DiffusersModel model{tiny(), {}, {}};
  model.weights = weights_for(model.unet);
  return model;
}

void expect_same(const Weights& a, const Weights& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
    EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape) << a.tensors[i].name;
    EXPECT_EQ(largest_difference(a.tensors[i].values, b.tensors[i].values), 0) << a.tensors[i].name;
  }
}

TEST(UNetWeights, get_their_names_in_the_order_of_the_graph) {
  DdpmUnetOptions unet = ddpm_cifar10_unet();
  unet.block_out_channels = {32, 32, 32, 32};
  std::vector<Tensor> params;
  const std::vector<TensorSpec> specs = unet_tensors(unet);
  for (const TensorSpec& spec : specs) {
    std::array<int, 4> s{1, 1, 1, 1};
    for (std::size_t i = 0; i < spec.shape.size(); ++i)
      s[spec.shape.size() == 1 ? 1 : i] = static_cast<int>(spec.shape[i]);
    params.emplace_back(Shape{s[0], s[1], s[2], s[3]}, static_cast<float>(params.size()));
  }
  const Weights weights = unet_weights(unet, params);
  ASSERT_EQ(weights.tensors.size(), specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(weights.tensors[i].name, specs[i].name);
    EXPECT_EQ(weights.tensors[i].shape, specs[i].shape);
    EXPECT_EQ(weights.tensors[i].values.data()[0], static_cast<float>(i));
  }
  params.pop_back();
  expect_error(ErrorCode::bad_argument, {"unet_weights"}, [&] { unet_weights(unet, params); });
}

TEST(FitToUNet, takes_old_names_convolutions_for_linear_layers_and_any_order) {
  const DiffusersModel model = tiny_model();
  Weights old = model.weights;
  for (NamedTensor& tensor : old.tensors) {
    tensor.name = old_attention_name(tensor.name);
    if (tensor.name.find(".attentions.") != std::string::npos && tensor.shape.size() == 2)
      tensor.shape.insert(tensor.shape.end(), {1, 1});
  }
  std::reverse(old.tensors.begin(), old.tensors.end());
  expect_same(fit_to_unet(std::move(old), model.unet, "w"), model.weights);
}

TEST(FitToUNet, names_tensors_that_do_not_belong) {
  const DiffusersModel model = tiny_model();
  const auto expect = [&](const std::string& part, const auto& change) {
    Weights weights = model.weights;
    change(weights.tensors);
    expect_error(ErrorCode::bad_input, {"w: ", part},
                 [&] { fit_to_unet(std::move(weights), model.unet, "w"); });
  };
  using List = std::vector<NamedTensor>;
  expect("'time_embedding.linear_1.weight' is missing",
         [](List& list) { list.erase(list.begin()); });
  expect("no tensor 'extra' (1 such)", [](List& list) {
    list.push_back({"extra", {1}, Tensor({1, 1, 1, 1})});
  });
  expect("'conv_in.bias' is [5], but the configuration makes it [4]", [](List& list) {
    for (NamedTensor& t : list)
      if (t.name == "conv_in.bias") t = {t.name, {5}, Tensor({1, 5, 1, 1})};
  });
  expect("under its old and its new name", [](List& list) {
    list.push_back({"mid_block.attentions.0.key.bias", {8}, Tensor({1, 8, 1, 1})});
  });
}

class Diffusers : public image_test::InFolder {};

TEST_F(Diffusers, folder_comes_back_as_it_was_written) {
  const DiffusersModel model = tiny_model();
  write_diffusers(in("a/b"), model);
  const DiffusersModel back = read_diffusers(in("a/b"));
  EXPECT_EQ(ddpm_unet_to_json(back.unet), ddpm_unet_to_json(model.unet));
  expect_same(back.weights, model.weights);
}

TEST_F(Diffusers, folder_may_have_one_folder_for_each_part) {
  write_diffusers(in("flat"), tiny_model());
  std::filesystem::create_directories(in("m/unet"));
  std::filesystem::create_directories(in("m/scheduler"));
  for (const char* name : {"config.json", "diffusion_pytorch_model.safetensors"})
    std::filesystem::rename(in("flat") / name, in("m/unet") / name);
  std::filesystem::rename(in("flat") / "scheduler_config.json",
                          in("m/scheduler/scheduler_config.json"));
  expect_same(read_diffusers(in("m")).weights, tiny_model().weights);
}

/// In a scripts' output folder, below `unet`, the files of a network; beside it the scheduler.
void put_pipeline(const std::filesystem::path& root, const char* unet) {
  write_diffusers(root / unet, tiny_model());
  std::filesystem::create_directories(root / "scheduler");
  std::filesystem::rename(root / unet / "scheduler_config.json",
                          root / "scheduler/scheduler_config.json");
}

TEST_F(Diffusers, averages_are_read_from_the_pipeline_or_by_themselves) {
  put_pipeline(in("m"), "unet_ema");
  const std::string config = bytes_of(in("m/unet_ema/config.json"));
  put_bytes(in("m/unet_ema/config.json"),
            R"({"decay": 0.9999, "inv_gamma": 1.0, "min_decay": 0.0, "optimization_step": 500,
                "power": 0.75, "update_after_step": 0, "use_ema_warmup": true,)" +
                config.substr(config.find('{') + 1));
  expect_same(read_diffusers(in("m")).weights, tiny_model().weights);
  expect_same(read_diffusers(in("m/unet_ema")).weights, tiny_model().weights);
  std::filesystem::create_directories(in("m/checkpoint-500"));
  std::filesystem::rename(in("m/unet_ema"), in("m/checkpoint-500/unet_ema"));
  expect_same(read_diffusers(in("m/checkpoint-500")).weights, tiny_model().weights);
  expect_same(read_diffusers(in("m/checkpoint-500/unet_ema")).weights, tiny_model().weights);
}

TEST_F(Diffusers, weights_may_have_a_variant_in_their_name) {
  for (const char* variant : {"fp16", "non_ema"}) {
    write_diffusers(in("m"), tiny_model());
    std::filesystem::rename(in("m/diffusion_pytorch_model.safetensors"),
                            in(fmt::format("m/diffusion_pytorch_model.{}.safetensors", variant)));
    expect_same(read_diffusers(in("m")).weights, tiny_model().weights);
    std::filesystem::remove_all(in("m"));
  }
}

TEST_F(Diffusers, other_networks_and_pipelines_are_refused_by_name) {
  write_diffusers(in("m"), tiny_model());
  const std::string config = bytes_of(in("m/config.json"));
  put_bytes(in("m/config.json"), R"({"_class_name": "UNet2DConditionModel"})");
  expect_error(ErrorCode::unsupported, {"'_class_name' is \"UNet2DConditionModel\""},
               [&] { read_diffusers(in("m")); });
  put_bytes(in("m/config.json"), config);
  put_bytes(in("m/model_index.json"), R"({"_class_name": "LDMPipeline", "vqvae": ["a", "b"]})");
  expect_error(ErrorCode::unsupported, {"the pipeline has a vqvae"},
               [&] { read_diffusers(in("m")); });
}

TEST_F(Diffusers, pointers_of_git_lfs_are_told) {
  for (const char* file : {"diffusion_pytorch_model.safetensors", "config.json"}) {
    write_diffusers(in("m"), tiny_model());
    put_bytes(in("m") / file, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    expect_error(ErrorCode::bad_input, {file, "git-lfs pointer", "git lfs pull"},
                 [&] { read_diffusers(in("m")); });
  }
}

TEST_F(Diffusers, folder_without_a_file_names_it) {
  expect_error(ErrorCode::io, {"none' is not a folder"}, [&] { read_diffusers(in("none")); });
  for (const char* name :
       {"config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json"}) {
    write_diffusers(in("m"), tiny_model());
    std::filesystem::remove(in("m") / name);
    expect_error(ErrorCode::io, {name, "does not exist"}, [&] { read_diffusers(in("m")); });
  }
  write_diffusers(in("m"), tiny_model());
  std::filesystem::rename(in("m/diffusion_pytorch_model.safetensors"),
                          in("m/diffusion_pytorch_model.bin"));
  expect_error(ErrorCode::unsupported, {"PyTorch pickle"}, [&] { read_diffusers(in("m")); });
}

TEST_F(Diffusers, configuration_of_a_megabyte_is_refused) {
  write_diffusers(in("m"), tiny_model());
  put_bytes(in("m/config.json"), std::string((1 << 20) + 1, ' '));
  expect_error(ErrorCode::too_large, {"config.json' has 1048577 bytes"},
               [&] { read_diffusers(in("m")); });
}

}  // namespace diffusers_test
}  // namespace unmar
