#include "base/fail.h"
#include "unmar/stop.h"

namespace unmar {
namespace {

class Auto final : public Stopper {
 public:
  Auto(std::unique_ptr<Stopper> judge, std::unique_ptr<Stopper> guard)
      : judge_(std::move(judge)), guard_(std::move(guard)) {
    if (!judge_ || !guard_) fail(ErrorCode::bad_argument, "auto: needs two stoppers");
  }

  std::string name() const override { return "auto"; }

  Verdict observe(int iteration, float loss, const Tensor& out) override {
    const Verdict judged = judge_->observe(iteration, loss, out);
    const Verdict guarded = guard_->observe(iteration, loss, out);
    if (!ended_) by_guard_ = guarded.stop && !judged.stop;
    const bool open = !ended_;
    ended_ = ended_ || judged.stop || guarded.stop;
    return {.new_best = open && judged.new_best,
            .stop = ended_,
            .reserve = open && guarded.new_best,
            .use_reserve = ended_ && by_guard_};
  }

  std::optional<double> signal() const override { return judge_->signal(); }

  void rewind(int iteration) override {
    judge_->rewind(iteration);
    guard_->rewind(iteration);
  }

  void serialize(Archive& archive) override {
    archive(ended_, by_guard_);
    judge_->serialize(archive);
    guard_->serialize(archive);
  }

 private:
  std::unique_ptr<Stopper> judge_, guard_;
  bool ended_ = false, by_guard_ = false;
};

}  // namespace

std::unique_ptr<Stopper> make_auto(std::unique_ptr<Stopper> judge, std::unique_ptr<Stopper> guard) {
  return std::make_unique<Auto>(std::move(judge), std::move(guard));
}

}  // namespace unmar
