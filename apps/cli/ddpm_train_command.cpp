#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/process.h>
#include <unmar/runs/training.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <optional>

#include "checks.h"
#include "commands.h"
#include "declaration.h"
#include "interrupt.h"
#include "progress.h"

namespace unmar::cli {
namespace {

struct TrainArguments {
  TrainingRequest training;
  std::filesystem::path resume;
  std::string block_out_channels, attention, weights = "f32";
  TrainingChanges changes;
  bool quiet = false, json = false;
};

/// "32,64,64"
std::vector<int> parse_list(const std::string& text, const char* option) {
  std::vector<int> numbers;
  const char* at = text.data();
  const char* end = at + text.size();
  for (bool more = true; more; ++at) {
    int number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    more = stop != end;
    if (error != std::errc{} || number < 1 || (more && *stop != ','))
      throw Error(ErrorCode::bad_argument,
                  fmt::format("{}: must be whole numbers from 1 on with commas between, got '{}'",
                              option, text));
    numbers.push_back(number);
    at = stop;
  }
  return numbers;
}

/// Shows a training on the terminal and stops it by Ctrl-C.
class TrainingConsole : public TrainingObserver {
 public:
  explicit TrainingConsole(bool quiet) : quiet_(quiet), line_("train", false, quiet) {}

  std::stop_token stop() const { return interrupt_.token(); }
  const std::string& folder() const { return folder_; }

  void started(const TrainingStart& s) override {
    folder_ = s.request.output.string();
    if (quiet_) return;
    fmt::print(stderr, "{} pictures of {}x{} px, {}; U-Net of {} parameters; {} MiB\n", s.pictures,
               s.width, s.height, s.channels == 1 ? "gray" : "RGB", s.parameters,
               s.memory_bytes >> 20);
    if (s.done > 0) fmt::print(stderr, "going on after {} iterations\n", s.done);
    fmt::print(stderr,
               "{} iterations of {} pictures: {:.1f} passes; Ctrl-C stops and keeps the model so "
               "far\n",
               s.request.iterations, s.request.batch,
               static_cast<double>(s.request.iterations) * s.request.batch /
                   static_cast<double>(s.pictures));
  }
  void progressed(const TrainingProgress& p) override {
    line_.update_loss(static_cast<int>(p.iteration), p.iterations, p.seconds, p.loss);
  }
  void warned(const std::string& text) override {
    line_.finish();
    fmt::print(stderr, "warning: {}\n", text);
  }
  void writing() override {
    line_.finish();
    interrupt_.hold_off();
  }

 private:
  const bool quiet_;
  Interrupt interrupt_;
  Progress line_;
  std::string folder_;
};

void tell(const TrainArguments& a, const std::string& folder, const TrainingResult& r) {
  if (!a.quiet) {
    fmt::print(stderr, "{} after {} iterations in {:.0f} s; loss {:.5f}; model in {}\n",
               r.whole ? "finished" : "stopped by you", r.iterations, r.seconds, r.loss, folder);
    if (!r.whole) fmt::print(stderr, "'unmar ddpm train --resume {}' goes on from here\n", folder);
  }
  if (a.json)
    fmt::print(
        "{{\"iterations\":{},\"loss\":{:.9g},\"seconds\":{:.3f},\"peak_memory_mib\":{:.1f}}}\n",
        r.iterations, r.loss, r.seconds, peak_memory_mib());
}

TrainingRequest request_of(const TrainArguments& a) {
  TrainingRequest t = a.training;
  if (!a.block_out_channels.empty())
    t.block_out_channels = parse_list(a.block_out_channels, "--block-out-channels");
  if (a.attention == "none")
    t.attention = {0};
  else if (!a.attention.empty())
    t.attention = parse_list(a.attention, "--attention");
  t.type = a.weights == "f16" ? WeightType::f16 : WeightType::f32;
  t.iterations = a.changes.iterations.value_or(t.iterations);
  t.samples = a.changes.samples.value_or(t.samples);
  t.checkpoint_every = a.changes.checkpoint_every.value_or(t.checkpoint_every);
  t.threads = a.changes.threads.value_or(0);
  return t;
}

int run(const TrainArguments& a) {
  TrainingConsole console(a.quiet);
  const TrainingResult result = a.resume.empty()
                                    ? unmar::run(request_of(a), console, console.stop())
                                    : resume_training(a.resume, a.changes, console, console.stop());
  tell(a, console.folder(), result);
  return 0;
}

void declare_network(Declaration& d, TrainArguments& a) {
  TrainingRequest& t = a.training;
  d.group("Network, named as in diffusers' config.json");
  std::vector<CLI::Option*> parts = {
      d.add("--block-out-channels,--channels", a.block_out_channels, "N,N,...",
            "width of each level, the finest first; each level has half the side of the one "
            "before (default 64,128,128)"),
      d.add("--layers-per-block", t.layers_per_block, "N", "residual blocks of a level (default 2)")
          ->check(whole_in_range(1, 16)),
      d.add("--attention", a.attention, "PX,PX,...|none",
            "sides of the levels with attention (default the first level of at most 16 px)"),
      d.add("--attention-head-dim", t.attention_head_dim, "N",
            "channels of a head of attention; 0 for one head (default 0)")
          ->check(whole_in_range(0, 4096)),
      d.add("--norm-num-groups", t.norm_num_groups, "N",
            "groups of the group norms; all widths must be multiples of it (default 32)")
          ->check(whole_in_range(1, 4096)),
      d.add("--dropout", t.dropout, "P", "fraction of the features that are dropped (default 0)")
          ->check(in_range(0, 0.95))};
  CLI::Option* unet =
      d.add("--unet", t.unet, "CONFIG.json", "the network of a config.json of diffusers instead");
  for (CLI::Option* part : parts) unet->excludes(part);
}

void declare_training(Declaration& d, TrainArguments& a) {
  TrainingRequest& t = a.training;
  d.group("Training");
  d.add("--batch", t.batch, "N", "pictures in one iteration (default 64)")
      ->check(whole_in_range(1, 4096));
  d.add("--lr", t.lr, "X", "learning rate of Adam (default 0.0002)")->check(in_range(1e-7, 1));
  d.add("--warm-up", t.warm_up, "N", "iterations over which the rate rises (default 500)")
      ->check(whole_in_range(1, 1e6));
  d.add("--ema", t.ema, "X",
        "weight of the past in the average of the weights, which is what is kept; 0.999 covers "
        "about 1000 iterations (default 0.999)")
      ->check(in_range(1e-6, 0.999999));
  d.add("--clip", t.clip, "X", "largest norm of the gradients; 0 for any (default 1)")
      ->check(in_range(0, 1e6));
  d.flag("--flip,!--no-flip", t.flip, "mirror every other picture (default off)");
  d.add("--schedule", t.schedule, "linear|cosine",
        "how noise grows over 1000 steps (default cosine)")
      ->check(one_of({"linear", "cosine"}));
  d.add("--prediction", t.prediction, "epsilon|sample|v_prediction",
        "what the network learns to tell: noise, picture, or a mix of both (default v_prediction)")
      ->check(one_of({"epsilon", "sample", "v_prediction"}));
  d.add("--seed", t.seed, "N", "start of the random numbers; same seed, same model (default 0)")
      ->check(whole_in_range(0, 9'007'199'254'740'992));
  d.add("--engine", t.engine, "NAME", "what computes (default the fastest; see unmar info)");
}

void declare_running(CLI::App& command, TrainArguments& a) {
  const auto number = [&](const char* name, auto& value, const char* type, const char* help,
                          const CLI::Validator& check, const char* group) {
    using T = typename std::decay_t<decltype(value)>::value_type;
    command
        .add_option_function<T>(
            name, [&value](const T& given) { value = given; }, help)
        ->type_name(type)
        ->check(check)
        ->group(group);
  };
  const char* group = "Run; --resume takes these, too";
  number("--iterations", a.changes.iterations, "N", "updates of the weights (default 20000)",
         whole_in_range(1, 1e9), group);
  number("--threads", a.changes.threads, "N",
         "cores to use, 0 for all; the result does not depend on it (default 0)",
         whole_in_range(0, 1024), group);
  number("--checkpoint-every", a.changes.checkpoint_every, "SECONDS",
         "time between the states that are saved, and the model with them (default 60)",
         in_range(0, 1e6), group);
  number("--samples", a.changes.samples, "N",
         "draw 64 samples after every N iterations, into the folder samples (default never)",
         whole_in_range(0, 1e9), group);
  command.add_flag("--quiet", a.quiet, "say nothing but errors")->group(group);
  command.add_flag("--json", a.json, "print the facts of the result as one JSON line on stdout")
      ->group(group);
}

}  // namespace

void add_ddpm_train_command(CLI::App& ddpm, Action& chosen) {
  const auto a = std::make_shared<TrainArguments>();  // shared with the callback below
  CLI::App* command =
      ddpm.add_subcommand("train",
                          "Train a diffusion model on many pictures of one kind\n\n"
                          "A U-Net learns to tell the noise in noisy pictures. It is kept in a "
                          "folder that 'unmar ddpm\n"
                          "sample' and Python's diffusers read, with the state of the training, so "
                          "that after Ctrl-C, a\n"
                          "crash or a power cut --resume goes on, to the same bits.");
  command->footer(
      "Examples:\n"
      "  unmar ddpm train pictures/ --size 64 -o model\n"
      "  unmar ddpm train train-images-idx3-ubyte.gz --channels 32,64,64 -o model --samples 1000\n"
      "  unmar ddpm train --resume model --iterations 40000");
  Declaration d(*command);  // what resuming takes as it was
  d.group("Files");
  CLI::Option* images = d.positional(
      "IMAGES", a->training.images,
      "folder of pictures, of which the central squares are taken, or an IDX file, plain or .gz");
  CLI::Option* output =
      d.add("-o,--output", a->training.output, "MODEL", "new folder for the model");
  CLI::Option* resume = command
                            ->add_option("--resume", a->resume,
                                         "folder of a training to go on with, with the pictures "
                                         "and options that it began with")
                            ->type_name("MODEL")
                            ->group("Files");
  d.group("Pictures");
  d.add("--size", a->training.size, "PX",
        "side of the pictures; those of a folder are resized (default 64), those of an IDX file "
        "padded (default as they are)")
      ->check(whole_in_range(1, 4096));
  d.flag("--gray", a->training.gray, "make the pictures of a folder gray (default RGB)");
  declare_network(d, *a);
  declare_training(d, *a);
  d.add("--weights", a->weights, "f32|f16",
        "how the model's numbers are stored: in 4 bytes or in 2 (default f32)")
      ->check(one_of({"f32", "f16"}));
  declare_running(*command, *a);
  for (CLI::Option* option : d.declared()) option->excludes(resume);
  command->callback([a, images, output, resume, &chosen] {
    if (resume->empty() && images->empty()) throw CLI::RequiredError("IMAGES or --resume");
    if (resume->empty() && output->empty()) throw CLI::RequiredError("-o");
    chosen = [a] { return run(*a); };
  });
}

}  // namespace unmar::cli
