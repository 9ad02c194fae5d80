#include "engine/precision_option.h"
#include "runs/training_rows.h"
#include "unmar/runs/training.h"

namespace unmar {
namespace {

using T = TrainingRequest;

std::vector<Option<T>> network() {
  return {
      with_alias("--channels",
                 shown_as("N,N,...", list("block-out-channels", &T::block_out_channels, "",
                                          "width of each level, the finest first; each level has "
                                          "half the side of the one before"))),
      integer("layers-per-block", &T::layers_per_block, 1, 16, "residual blocks of a level"),
      shown_as("PX,PX,...|none",
               list("attention", &T::attention, "none",
                    "sides of the levels with attention (default the first level of at most 16 "
                    "px)")),
      integer("attention-head-dim", &T::attention_head_dim, 0, 4096,
              "channels of a head of attention; 0 for one head"),
      integer("norm-num-groups", &T::norm_num_groups, 1, 4096,
              "groups of the group norms; all widths must be multiples of it"),
      shown_as("P", number("dropout", &T::dropout, 0, 0.95,
                           "fraction of the features that are dropped")),
  };
}

std::vector<Option<T>> training() {
  return {
      integer("batch", &T::batch, 1, 4096, "pictures in one iteration"),
      number("lr", &T::lr, 1e-7, 1, "learning rate of Adam"),
      integer("warm-up", &T::warm_up, 1, 1'000'000, "iterations over which the rate rises"),
      number("ema", &T::ema, 1e-6, 0.999999,
             "weight of the past in the average of the weights, which is what is kept; 0.999 "
             "covers about 1000 iterations"),
      number("clip", &T::clip, 0, 1e6, "largest norm of the gradients; 0 for any"),
      flag("flip", &T::flip, "mirror every other picture"),
      one_of_names("schedule", &T::schedule, {"linear", "cosine"},
                   "how noise grows over 1000 steps"),
      one_of_names("prediction", &T::prediction, {"epsilon", "sample", "v_prediction"},
                   "what the network learns to tell: noise, picture, or a mix of both"),
      integer("seed", &T::seed, 0, 9'007'199'254'740'992,
              "start of the random numbers; same seed, same model"),
      text("engine", &T::engine,
           "what computes; auto is the fastest, 'unmar info' lists the others"),
      precision_choice(&T::precision),
      choice("weights", &T::type, {{"f32", WeightType::f32}, {"f16", WeightType::f16}},
             "how the model's numbers are stored: in 4 bytes or in 2"),
  };
}

std::vector<Option<T>> training_table() {
  std::vector<Option<T>> table;
  add_group(table, "Pictures", runs::picture_rows<T>());
  add_group(table, kTrainingNetwork, network());
  add_group(table, "Training", training());
  add_group(table, kTrainingRun, runs::running_rows<T>());
  return table;
}

}  // namespace

const std::vector<Option<TrainingRequest>>& training_options() {
  static const std::vector<Option<T>> table = training_table();
  return table;
}

}  // namespace unmar
