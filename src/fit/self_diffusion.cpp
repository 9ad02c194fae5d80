#include "base/fail.h"
#include "fit/stage_options.h"
#include "unmar/base/random.h"

namespace unmar {
namespace {

class SelfDiffusion final : public Stages {
 public:
  SelfDiffusion(const ProblemOptions& problem, const Shape& x_shape, const StageOptions& options)
      : problem_(problem), options_(options), estimate_(x_shape) {
    check_stages(options, "self-diffusion");
    if (problem.input != InputKind::observed)
      fail(ErrorCode::bad_argument,
           "self-diffusion: the network's input is its own picture; take `input` observed");
    Random(options.seed, "self-diffusion.start").normal(estimate_.values());
  }

  std::string name() const override { return "self-diffusion"; }
  void ask(ProblemOptions& options) const override { options.open_z = true; }

  void prepare(int iteration, const Tensor& picture, const Problem& problem,
               Program& program) override {
    const int stage = stage_at(options_, iteration);
    if (stage == set_) return;
    if (stage != stage_) estimate_ = picture;
    stage_ = set_ = stage;
    problem_.picture = Tensor(estimate_.shape());
    Random(options_.seed, fmt::format("self-diffusion.{}", stage))
        .normal(problem_.picture.values());
    const double sigma = options_.noise * (options_.stages - stage) / options_.stages;
    for (std::size_t i = 0; i < estimate_.count(); ++i)
      problem_.picture.data()[i] =
          estimate_.data()[i] + static_cast<float>(sigma) * problem_.picture.data()[i];
    program.set_input(problem.z.value(), make_input(estimate_.shape(), problem_));
  }

  void serialize(Archive& archive) override {
    const Shape shape = estimate_.shape();
    archive(stage_, estimate_);
    archive.require(estimate_.shape() == shape, "its stages are of a picture of another size");
    if (archive.reading()) set_ = -1;
  }

 private:
  ProblemOptions problem_;
  StageOptions options_;
  Tensor estimate_;  ///< that the stage began with
  int stage_ = 0;
  int set_ = -1;  ///< stage that the program has the input of
};

}  // namespace

std::unique_ptr<Stages> make_self_diffusion(const ProblemOptions& problem, const Shape& x_shape,
                                            const StageOptions& options) {
  return std::make_unique<SelfDiffusion>(problem, x_shape, options);
}

}  // namespace unmar
