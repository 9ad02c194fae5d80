#include "runs/training.h"

#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "unmar/base/files.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;

constexpr int kFolderSize = 64;       ///< px, of the pictures of a folder
constexpr int kLargestAttended = 16;  ///< px, on a side; as Ho et al. have it

[[noreturn]] void refuse(const std::string& text) { fail(ErrorCode::bad_argument, "{}", text); }

void require_sides(int size, std::size_t levels) {
  const int step = 1 << (levels - 1);
  if (size % step == 0) return;
  refuse(
      fmt::format("`size`: the U-Net halves the picture {} times, so its side must be a "
                  "multiple of {}, but it is {}; give `size` {}, or other `block_out_channels`",
                  levels - 1, step, size, (size / step + 1) * step));
}

void require_groups(const TrainingRequest& a) {
  for (const int width : a.block_out_channels)
    if (width % a.norm_num_groups != 0)
      refuse(fmt::format(
          "`norm_num_groups`: {} groups do not divide the width {} of "
          "`block_out_channels`; give {}, or other widths",
          a.norm_num_groups, width,
          std::accumulate(a.block_out_channels.begin(), a.block_out_channels.end(),
                          a.norm_num_groups, [](int x, int y) { return std::gcd(x, y); })));
}

/// Which levels have attention.
std::vector<DdpmBlock> down_blocks(const TrainingRequest& a, int size) {
  const std::size_t levels = a.block_out_channels.size();
  std::vector<DdpmBlock> blocks(levels, DdpmBlock::resnet);
  std::vector<int> wanted = a.attention;
  for (std::size_t level = 0; level < levels; ++level) {
    const int side = size >> level;
    const bool by_default = a.attention.empty() && side <= kLargestAttended;
    const auto at = std::ranges::find(wanted, side);
    if (at != wanted.end())
      wanted.erase(at);
    else if (!by_default)
      continue;
    blocks[level] = DdpmBlock::attention;
    if (by_default) break;
  }
  std::erase(wanted, 0);  // "none"
  if (!wanted.empty())
    refuse(
        fmt::format("`attention`: no level of the U-Net has a side of {} px; it has {} levels, "
                    "from {} px on, each half as large",
                    wanted.front(), levels, size));
  return blocks;
}

}  // namespace

Dataset training_pictures(const char* command, const fs::path& images, int size, bool gray) {
  std::error_code error;
  if (!fs::exists(images, error))
    fail(ErrorCode::io, "{}: there is no '{}'; give a folder of pictures or an IDX file", command,
         images.string());
  if (fs::is_directory(images, error))
    return read_picture_folder(images, {.size = size > 0 ? size : kFolderSize, .gray = gray});
  Dataset pictures = read_idx(images);
  const int side = std::max(pictures.width, pictures.height);
  if (size > 0 && size < side)
    refuse(
        fmt::format("`size`: the pictures of '{}' are {}x{} px and can only be padded, not made "
                    "smaller; give at least {}",
                    images.string(), pictures.width, pictures.height, side));
  return size > side || pictures.width != pictures.height ? padded(pictures, std::max(size, side))
                                                          : pictures;
}

DdpmUnetOptions training_unet(const TrainingRequest& a, const Dataset& pictures) {
  DdpmUnetOptions unet;
  if (!a.unet.empty()) {
    unet = ddpm_unet_from_json(read_text(a.unet, "`unet`"),
                               fmt::format("`unet`: '{}'", a.unet.string()));
    if (unet.in_channels != pictures.channels || unet.out_channels != pictures.channels)
      refuse(
          fmt::format("`unet`: '{}' is for pictures of {} channels and gives {}, but these have "
                      "{}; {}",
                      a.unet.string(), unet.in_channels, unet.out_channels, pictures.channels,
                      pictures.channels == 3 ? "`gray` makes them gray"
                                             : "change in_channels and out_channels"));
  } else {
    require_groups(a);
    unet = ddpm_cifar10_unet();
    unet.block_out_channels = a.block_out_channels;
    unet.layers_per_block = a.layers_per_block;
    unet.norm_num_groups = a.norm_num_groups;
    unet.dropout = static_cast<float>(a.dropout);
    if (a.attention_head_dim > 0) unet.attention_head_dim = a.attention_head_dim;
    unet.in_channels = unet.out_channels = pictures.channels;
    unet.down_block_types = down_blocks(a, pictures.width);
    unet.up_block_types.assign(unet.down_block_types.rbegin(), unet.down_block_types.rend());
  }
  require_sides(pictures.width, unet.block_out_channels.size());
  unet.sample_size = pictures.width;
  unet_tensors(unet);  // for its errors
  return unet;
}

TrainerOptions trainer_options(const TrainingRequest& a, const DdpmUnetOptions& unet) {
  return {.unet = unet,
          .batch = {a.batch, unet.in_channels, unet.sample_size, unet.sample_size},
          .lr = static_cast<float>(a.lr),
          .warmup = a.warm_up,
          .clip_norm = static_cast<float>(a.clip),
          .ema_decay = static_cast<float>(a.ema),
          .seed = a.seed,
          .threads = a.threads,
          .engine = a.engine,
          .precision = a.precision};
}

GanTrainerOptions gan_trainer_options(const GanTrainingRequest& a, const Dataset& pictures) {
  GanTrainerOptions options{.gan = {.size = pictures.width,
                                    .channels = pictures.channels,
                                    .latent = a.latent,
                                    .width = a.width,
                                    .kernel = a.kernel},
                            .batch = a.batch,
                            .lr = static_cast<float>(a.lr),
                            .lr_discriminator = static_cast<float>(a.lr_discriminator),
                            .beta1 = static_cast<float>(a.beta1),
                            .ema_decay = static_cast<float>(a.ema),
                            .smooth = static_cast<float>(a.smooth),
                            .norm_discriminator = a.norm_discriminator,
                            .seed = a.seed,
                            .threads = a.threads,
                            .engine = a.engine};
  if (pictures.width % 4 != 0 || pictures.width < 8)
    refuse(fmt::format(
        "`size`: the networks halve the picture twice at least, so its side must be a multiple of "
        "4, 8 or more, but it is {}; give `size` {}",
        pictures.width, std::max(8, (pictures.width + 3) / 4 * 4)));
  check_gan(options.gan, "gan train");
  return options;
}

SchedulerConfig training_scheduler(const TrainingRequest& a) {
  SchedulerConfig config;
  config.schedule.kind = a.schedule == "cosine" ? BetaSchedule::cosine : BetaSchedule::linear;
  config.prediction = a.prediction == "v_prediction" ? Prediction::v
                      : a.prediction == "sample"     ? Prediction::sample
                                                     : Prediction::epsilon;
  return config;
}

}  // namespace unmar::runs
