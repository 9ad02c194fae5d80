#include "tasks/stopping.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "tasks/task.h"
#include "unmar/fit/stop.h"
#include "unmar/noise/noise.h"

namespace unmar {
namespace {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::size_t start = 0;
  for (std::size_t end; (end = list.find(',', start)) != std::string::npos; start = end + 1)
    words.push_back(list.substr(start, end - start));
  words.push_back(list.substr(start));
  return words;
}

StopRule rule_of(Task task, const std::string& name) {
  const OptionSpec& stop = option_spec("stop");
  if (std::find(stop.choices.begin(), stop.choices.end(), name) == stop.choices.end())
    fail(ErrorCode::bad_argument, "{}: `watch` names '{}'; its rules are those of `stop`: {}",
         to_string(task), name, allowed_values(stop));
  RestoreOptions named;
  stop.put(named, name);
  return named.stop.value();
}

std::string name_of(StopRule rule) {
  RestoreOptions named;
  named.stop = rule;
  return to_text(option_spec("stop").get(named).value());
}

/// 1 within `reach` pixels of a 1, in each channel.
Tensor grown(const Tensor& mask, int reach) {
  const Shape& s = mask.shape();
  Tensor result(s, 0.f);
  for (int c = 0; c < s.c; ++c)
    for (int y = 0; y < s.h; ++y)
      for (int x = 0; x < s.w; ++x) {
        if (!(mask.at(0, c, y, x) > 0.f)) continue;
        for (int v = std::max(0, y - reach); v <= std::min(s.h - 1, y + reach); ++v)
          for (int u = std::max(0, x - reach); u <= std::min(s.w - 1, x + reach); ++u)
            result.at(0, c, v, u) = 1.f;
      }
  return result;
}

/// Makes stoppers; they share what is hidden from the loss.
class Maker {
 public:
  Maker(Task task, const Plan& plan, const RestoreOptions& o, const Hidden* drawn)
      : task_(task), plan_(plan), o_(o), drawn_(drawn) {}

  std::unique_ptr<Stopper> make(StopRule rule, Stopping& needs) const {
    switch (rule) {
      case StopRule::automatic:
        if (!hide_enough(needs)) return make(StopRule::wmv, needs);
        return make_both(needs);
      case StopRule::wmv:
        return make_windowed_variance(variance());
      case StopRule::emv:
        return make_moving_variance(variance());
      case StopRule::discrepancy:
        return make_discrepancy(plan_.y, known(rule), sigma(rule));
      case StopRule::held_out:
        if (needs.hidden.compared.empty()) needs.hidden = hide(known(rule), o_.held_out.value());
        return make_held_out(plan_.y, needs.hidden.compared, o_.loss.value(), valley());
      case StopRule::self_reference:
        return make_self_reference(plan_.y, known(rule), valley());
      case StopRule::sure:
        check_sure();
        needs.probes = true;
        return make_sure(plan_.y, {.sigma = sigma(rule)});
      case StopRule::stages:
        return make_stage_judge(needs);
      case StopRule::none:
        break;
    }
    return make_fixed_count();
  }

  /// Few values tell little: of a small picture a larger share is hidden, up to where the fit
  /// suffers more than the choice gains. Of a tiny one that is still too few; then none are hidden.
  bool hide_enough(Stopping& needs) const {
    constexpr double kEnough = 100, kWanted = 128, kLargestShare = 0.15, kFewest = 64;
    if (task_spec(task_).enlargement) return false;
    const Tensor known = this->known(StopRule::automatic);
    Hidden drawn = hide(known, o_.held_out.value());
    if (count(drawn.compared) < kEnough) {
      const double values = count_known(plan_) * plan_.y.shape().c;
      const double share = std::min(kWanted / std::max(values, 1.), kLargestShare);
      drawn = hide(known, std::max(share, o_.held_out.value()));
      if (count(drawn.compared) < kFewest) return false;
    }
    needs.hidden = std::move(drawn);
    return true;
  }

 private:
  /// The weight, and why gray goes without: scripts/stopping.py, docs/results.md.
  std::unique_ptr<Stopper> make_both(Stopping& needs) const {
    constexpr double kWeight = 3;
    auto held_out = make(StopRule::held_out, needs);
    if (plan_.input.channels() != 3) return held_out;
    return make_auto(std::move(held_out), make(StopRule::self_reference, needs), kWeight, valley());
  }

  VarianceOptions variance() const {
    VarianceOptions variance;
    variance.window = o_.window.value();
    variance.patience = o_.patience.value();
    variance.min_start = o_.min_start.value();
    return variance;
  }

  /// An average of a few iterates is worse than that of more will be, but its error at the few
  /// hidden values need not be.
  ValleyOptions valley() const {
    const double decay = o_.average.value() ? o_.average_decay.value() : 0;
    const double enough = decay > 0 ? std::min(2 / (1 - decay), *o_.iterations / 2.) : 0;
    return {.patience = o_.patience.value(),
            .min_start = static_cast<int>(std::lround(enough)),
            .average = static_cast<float>(decay)};
  }

  /// Neighbours that share their noise are hidden together, and only the one in the middle is
  /// compared.
  Hidden hide(const Tensor& known, double fraction) const {
    if (drawn_) return *drawn_;
    const int reach = plan_.noise && plan_.noise->kind == NoiseKind::correlated ? 1 : 0;
    constexpr double kMore = 2;  ///< so that enough are compared
    if (reach > 0) fraction = std::min(0.5, kMore * fraction) / ((2 * reach + 1) * (2 * reach + 1));
    Hidden hidden;
    hidden.compared =
        hide_values(plan_.y.shape(), known,
                    {.fraction = fraction, .seed = static_cast<std::uint64_t>(o_.seed.value())});
    hidden.from_fit = reach > 0 ? grown(hidden.compared, reach) : hidden.compared;
    return hidden;
  }

  static double count(const Tensor& hidden) {
    double sum = 0;
    for (const float v : hidden.values()) sum += static_cast<double>(v);
    return sum;
  }

  Tensor known(StopRule rule) const {
    if (task_spec(task_).enlargement)
      fail(ErrorCode::bad_argument,
           "{}: `stop` {} compares the result with the given picture pixel by pixel, but that is "
           "smaller; take wmv, emv or none",
           to_string(task_), name_of(rule));
    return plan_.A->known_part(Tensor(plan_.y.shape(), 1.f));
  }

  float sigma(StopRule rule) const {
    if (o_.sigma.value_or(0) <= 0)
      fail(ErrorCode::bad_argument,
           "{}: `stop` {} needs to know how strong the noise is; give '{}' a `sigma` above 0, "
           "or take another rule",
           to_string(task_), name_of(rule),
           option_spec("sigma").serves(task_) ? to_string(task_) : "denoise");
    return static_cast<float>(*o_.sigma / 255);
  }

  std::unique_ptr<Stopper> make_stage_judge(const Stopping& needs) const {
    if (!task_spec(task_).only_noise || !needs.targets)
      fail(ErrorCode::bad_argument,
           "{}: `stop` stages needs 'denoise' with `prior` staged, whose stages it judges",
           to_string(task_));
    const double sigma = o_.sigma ? *o_.sigma / 255 : estimate_sigma(plan_.y);
    return make_stage_risk(*needs.targets, plan_.y, sigma);
  }

  void check_sure() const {
    const bool input_fits = task_spec(task_).only_noise && o_.prior == FitPrior::dip &&
                            o_.input == InputKind::observed && o_.reg_noise_std.value() > 0 &&
                            o_.optimise == Optimise::weights;
    if (!input_fits)
      fail(ErrorCode::bad_argument,
           "{}: `stop` sure needs 'denoise' with `input` observed, `optimise` weights and a "
           "`reg_noise_std` above 0; it measures how the result follows the noisy picture",
           to_string(task_));
  }

  Task task_;
  const Plan& plan_;
  const RestoreOptions& o_;
  const Hidden* drawn_;
};

}  // namespace

StageOptions stage_options(const RestoreOptions& o) {
  return {.stages = o.stages.value(),
          .iterations = o.iterations.value(),
          .noise = o.stage_noise.value() / 255,
          .seed = static_cast<std::uint64_t>(o.seed.value())};
}

Stopping make_stopping(Task task, const Plan& plan, const RestoreOptions& resolved,
                       const Hidden* drawn) {
  Stopping stopping;
  const Maker maker(task, plan, resolved, drawn);
  if (resolved.prior == FitPrior::staged)
    stopping.targets = std::make_unique<StagedTargets>(*plan.A, plan.y, stage_options(resolved));
  stopping.stopper = maker.make(resolved.stop.value(), stopping);
  if (resolved.method == Method::automatic && stopping.hidden.compared.empty())
    maker.hide_enough(stopping);
  if (resolved.watch)
    for (const std::string& name : split(*resolved.watch)) {
      const bool twice = std::any_of(stopping.watchers.begin(), stopping.watchers.end(),
                                     [&](const auto& watcher) { return watcher.first == name; });
      if (twice)
        fail(ErrorCode::bad_argument, "{}: `watch` names '{}' twice", to_string(task), name);
      stopping.watchers.emplace_back(name, maker.make(rule_of(task, name), stopping));
    }
  return stopping;
}

}  // namespace unmar
