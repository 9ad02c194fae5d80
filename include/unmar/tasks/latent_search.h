#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "unmar/gan/model.h"
#include "unmar/tasks/tasks.h"

/// A GAN as a prior: the picture is the one among all that the generator can make which explains
/// the damaged one best.
namespace unmar {

struct LatentOptions {
  int starts = 4;               ///< random z; the one that explains y best goes on
  int latent_iterations = 500;  ///< of each: only z learns (Bora et al., "CSGM", ICML 2017)
  /// Then z and the generator learn together (Pan et al., "Deep generative prior", ECCV 2020; Roich
  /// et al., "Pivotal tuning", 2021); 0: not. Against known noise it ends when the residual is the
  /// noise.
  int weight_iterations = 100;
  float latent_lr = 0.05f, weight_lr = 1e-3f;
  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: as many as the machine has
  std::string engine = "auto";
};

struct LatentResult {
  Image image;
  int iterations = 0;      ///< of all
  std::uint64_t macs = 0;  ///< multiplications of one pass there
};

/// known: what is known of the damage; method and network do not matter. on_progress: the share
/// that is done. throws Error{bad_input} if the generator's pictures are smaller than the result or
/// have other channels; Error{cancelled}; what restore() throws for pictures and options.
LatentResult latent_search(Task task, const Image& damaged, const Image* mask,
                           const RestoreOptions& known, const GanModel& model,
                           const LatentOptions& options,
                           const std::function<void(double)>& on_progress = {},
                           std::stop_token cancel = {});

}  // namespace unmar
