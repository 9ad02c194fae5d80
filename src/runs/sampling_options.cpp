#include "engine/precision_option.h"
#include "unmar/runs/samples.h"

namespace unmar {
namespace {

using S = SamplesRequest;

std::vector<Option<S>> sampling_table() {
  std::vector<Option<S>> table;
  add_group(
      table, "Sampling",
      {with_alias("-n", integer("count", &S::count, 1, 100'000, "how many pictures")),
       one_of_names("sampler", &S::sampler, {"ddpm", "ddim", "dpm-solver++"},
                    "how noise becomes a picture"),
       integer("steps", &S::steps, 1, 1'000'000,
               "calls of the network for a picture; ddpm needs hundreds, up to 1000, dpm-solver++ "
               "15 to 25"),
       number("eta", &S::eta, 0, 1,
              "fresh noise that ddim adds in each step, 1 for as much as ddpm"),
       choice("spacing", &S::spacing,
              {{"leading", Spacing::leading},
               {"trailing", Spacing::trailing},
               {"linspace", Spacing::linspace}},
              "which of the 1000 timesteps are taken (default as the model says)"),
       unset_at(std::int64_t{0},
                shown_as("PX", integer("size", &S::size, 1, 4096,
                                       "side of the pictures (default that the model is for)"))),
       integer("seed", &S::seed, 0, 9'007'199'254'740'992,
               "start of the random numbers; same seed, same pictures"),
       integer("threads", &S::threads, 0, 1024,
               "cores to use, 0 for all; the result does not depend on it"),
       text("engine", &S::engine,
            "what computes; auto is the fastest, 'unmar info' lists the others"),
       precision_choice(&S::precision)});
  return table;
}

}  // namespace

const std::vector<Option<SamplesRequest>>& sampling_options() {
  static const std::vector<Option<S>> table = sampling_table();
  return table;
}

}  // namespace unmar
