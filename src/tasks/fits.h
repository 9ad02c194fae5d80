#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "fit/canvas.h"
#include "tasks/plan.h"
#include "tasks/stopping.h"
#include "unmar/fit/phases.h"

namespace unmar {

/// The problem of one fit, and all that is drawn from its seed.
struct Draw {
  /// also_hidden: from the fit, beside what its stopper hides; may be empty.
  /// drawn: what its stopper hides; null: it draws that. latent: number of the start of a GAN.
  /// filtered: see Fits::start_from(); empty: the observation.
  Draw(Task task, const Plan& plan, const RestoreOptions& own, const Tensor& also_hidden,
       const Hidden* drawn, int latent, const Tensor& filtered = {});

  Stopping stopping;
  Shape x_shape;
  ProblemOptions start;
  std::unique_ptr<Stages> diffusion;
  FitOptions how;
  Problem problem;
};

/// The fits that one restoration is made of, by --runs, by --prior gan or by Plan::tiles.
class Fits {
 public:
  /// Draws the first of them; with InputKind::filtered as if the filter did nothing, until
  /// start_from() tells what it made. attempts: FitPhase::attempts, at least; tiles have
  /// kTileAttempts. throws what make_problem() throws.
  Fits(Task task, const Plan& plan, const RestoreOptions& resolved, int attempts = 1);

  const Draw& first() const { return *draw_; }
  /// InputKind::filtered: the picture that the networks start from, [1,c,h,w]. It must not have
  /// seen what is hidden.
  void start_from(Tensor filtered);
  /// What the first one hides.
  const Hidden& hidden() const { return hidden_; }
  /// around: of Plan::tiles, what is shown where no tile has been fitted, [1,c,h,w].
  FitResult run(Engine& engine, const RestoreContext& context,
                const std::function<void(const FitProgress&)>& on_iteration,
                const Tensor& around = {});

 private:
  using OnIteration = std::function<void(const FitProgress&)>;

  RestoreOptions options_of(const FitPart& part) const;
  const std::vector<Tensor>* weights_of(const FitPart& part,
                                        const std::vector<Tensor>* given) const;
  int tile_of(const FitPart& part) const;
  void draw(const FitPart& part);
  /// on_iteration hears of the whole picture.
  FitResult fit_tile(Engine& engine, const FitPart& part, const FitOptions& how,
                     const RestoreContext& context, const Tensor& around,
                     const OnIteration& on_iteration) const;

  Task task_;
  const Plan& plan_;
  const RestoreOptions& options_;
  std::vector<FitPhase> phases_;
  Hidden hidden_;
  Tensor filtered_;
  std::optional<Plan> tile_;    ///< what draw_ is of, if not of plan_
  std::unique_ptr<Draw> draw_;  ///< two of them would take twice the memory
};

}  // namespace unmar
