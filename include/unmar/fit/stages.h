#pragma once

#include <memory>

#include "unmar/fit/fit.h"

/// Fits in stages of falling noise, after what diffusion models do, but with no trained model.
namespace unmar {

struct StageOptions {
  int stages = 20;
  int iterations = 600;    ///< of the whole fit, shared evenly
  double noise = 1;        ///< sigma in the first stage, range 1; falls linearly
  std::uint64_t seed = 0;  ///< draws the noise
};

/// Self-diffusion: Luo et al., "Self-diffusion for Solving Inverse Problems", NeurIPS 2025
/// (arXiv 2510.21417). In stage t the network is fitted to make y, through A, of its own estimate
/// so far plus sigma(t) eps, eps drawn once per stage; its picture is the estimate of the next
/// stage. The first estimate is N(0, 1). The weights go on from stage to stage. sigma falls
/// linearly to 1 / stages of the first, where the authors have a schedule of their own.
/// Wants InputKind::observed. Memory: three pictures.
/// throws Error{bad_argument} unless 1 <= stages <= iterations and noise >= 0.
std::unique_ptr<Stages> make_self_diffusion(const ProblemOptions& problem, const Shape& x_shape,
                                            const StageOptions& options);

/// Targets with noise: stage s compares with y + sigma(s) eps_s, from much noise to none, so that
/// the network learns the coarse before the fine. eps_s is drawn anew for each stage and stays for
/// its length.
class StagedTargets : public Stages {
 public:
  /// y: the observation; A says what of it is known. throws as make_self_diffusion().
  StagedTargets(const Operator& A, const Tensor& y, const StageOptions& options);
  void hide(const Tensor& hidden);  ///< as ProblemOptions::hidden

  std::string name() const override { return "staged targets"; }
  void ask(ProblemOptions& options) const override { options.open_y = true; }
  void prepare(int iteration, const Tensor& picture, const Problem& problem,
               Program& program) override;
  void serialize(Archive& archive) override;

  int stage_of(int iteration) const;
  bool ends_stage(int iteration) const;
  double sigma(int stage) const;  ///< 0 in the last
  Tensor noise(int stage) const;  ///< eps, of y's shape

 private:
  StageOptions options_;
  Tensor known_, seen_;  ///< of y; 1 where the loss looks
  int set_ = -1;         ///< stage that the program has the target of
};

/// Says at the end of each stage how far A x is from that of the clean picture. The noise that a
/// stage adds is known: the part of it that shows in A x, r = <A x - y, eps> / (sigma(s) <eps,
/// eps>), tells how much of the noise of y, which is like it, is in A x, and so by Stein's argument
///   risk = |A x - y|^2 / N - sigma^2 + 2 r sigma^2,
/// with the variance of the clipped noise for sigma^2 if y keeps to [0,1].
/// A running mean over the last ten or so iterates of the stage is judged. Chooses the stage of
/// least risk, ends after `patience` stages without a smaller one. The last stage adds no noise and
/// takes the r of the one before. Signal: the last risk. sigma: of the noise of y, range 1.
/// `stages` must outlive it. Memory: one picture.
std::unique_ptr<Stopper> make_stage_risk(const StagedTargets& stages, Tensor y, double sigma,
                                         int patience = 3);

}  // namespace unmar
