#include "engine/cuda/lower/lowering.h"

namespace unmar::cuda {
namespace {

/// A norm with the activation behind it.
class NormSteps {
 public:
  NormSteps(Lowering& l, NodeId norm, NodeId result, Act act)
      : op_(std::get<Norm>(l.node(norm).op)),
        p_(l.unary(result)),
        gamma_(l.param(l.node(norm), 0)),
        beta_(l.param(l.node(norm), 1)),
        mean_(l.param(l.node(norm), 2)),
        variance_(l.param(l.node(norm), 3)),
        act_(act),
        s_(p_.src.shape),
        unit_n_(op_.kind == NormKind::batch ? s_.n / op_.parts : 1),
        unit_c_(op_.kind == NormKind::group ? s_.c / op_.groups : 1),
        chunks_(pixels_of(s_)) {
    const std::size_t cells = size(s_.n) * std::size_t{size(s_.c)},
                      parts = cells * size(chunks_.count);
    cells_ = {l.make(cells), l.make(cells), l.make(cells), l.make(cells), act};
    first_ = l.scratch(parts);
    second_ = l.scratch(parts);
    const NodeId source = l.node(norm).src[0];
    is_given_moments_ = l.moments_of(source).mean != nullptr;
    moments_ = is_given_moments_ ? l.moments_of(source)
                                 : Moments{first_, second_, chunks_.length, chunks_.count};
    leaves_gradient_ = l.gradient_in_front(source) != nullptr;
    if (is_fixed() || leaves_gradient_) {
      offset_ = l.make(cells);
      slope_ = l.make(cells);
    } else if (p_.d_src) {
      offset_ = l.scratch(cells);
      slope_ = l.scratch(cells);
    }
    if (op_.statistics == NormStatistics::tracked) {
      now_mean_ = l.make_lasting(size(s_.c));
      now_variance_ = l.make_lasting(size(s_.c));
    }
  }

  const NormCells& cells() const { return cells_; }
  /// What the convolution in front works the gradient out from, if it does.
  GradientInFront in_front() const { return {p_.src, cells_, offset_, slope_}; }
  bool is_tracked() const { return now_mean_ != nullptr; }

  void forward(Emitter& e) const {
    if (is_fixed()) {
      e.launch<Kernel::norm_running>(
          {blocks(size(s_.n) * std::size_t{size(s_.c)})},
          {mean_.value, variance_.value, gamma_.value, beta_.value, s_.n, s_.c, op_.eps,
           e.at(cells_.mean), e.at(cells_.rstd), e.at(cells_.scale), e.at(cells_.shift),
           e.at(offset_), e.at(slope_)});
      return apply(e);
    }
    if (!is_given_moments_)
      e.launch<Kernel::norm_moments>(
          chunk_grid(), {e.values(p_.src), s_.c, is_wide(p_.src), pixels_of(s_), moments_.length,
                         moments_.count, e.at(moments_.mean), e.at(moments_.square)});
    e.launch<Kernel::norm_finish>(
        {units()}, {e.at(moments_.mean), e.at(moments_.square), gamma_.value, beta_.value, s_.n,
                    s_.c, unit_n_, unit_c_, pixels_of(s_), moments_.length, moments_.count, op_.eps,
                    e.at(cells_.mean), e.at(cells_.rstd), e.at(cells_.scale), e.at(cells_.shift),
                    e.at(now_mean_), e.at(now_variance_)});
    apply(e);
  }

  /// The value, unless its readers work it out.
  void apply(Emitter& e) const {
    if (!p_.dst) return;
    const bool wide = is_wide(p_.src) && is_wide(p_.dst);
    e.launch<Kernel::norm_apply>({lane_blocks(s_, wide)},
                                 {e.values(p_.src), e.values(p_.dst), normed(e), s_.c,
                                  pixels_of(s_), all_pixels_of(s_), wide});
  }

  void backward(Emitter& e) const {
    if (!p_.d_dst) return;
    const bool wants_params = gamma_.grad || beta_.grad;
    // A unit that is a channel of all pictures has the sums that the parameters' gradients are.
    const bool in_finish = op_.kind == NormKind::batch && op_.parts == 1 && p_.d_src && !is_fixed();
    if (!is_fixed() || wants_params)
      e.launch<Kernel::norm_grad_sums>(
          chunk_grid(),
          {e.values(p_.src), e.values(p_.d_dst), normed(e), e.at(cells_.mean), e.at(cells_.rstd),
           s_.c, is_wide(p_.src) && is_wide(p_.d_dst), pixels_of(s_), chunks_.length, chunks_.count,
           e.at(first_), e.at(second_)});
    if (wants_params && !in_finish)
      e.launch<Kernel::norm_grad_params>({size(s_.c)}, {e.at(first_), e.at(second_), s_.n, s_.c,
                                                        chunks_.count, gamma_.grad, beta_.grad});
    if (p_.d_src && !is_fixed())
      e.launch<Kernel::norm_grad_finish>(
          {units()}, {e.at(first_), e.at(second_), gamma_.value, e.at(cells_.rstd), s_.n, s_.c,
                      unit_n_, unit_c_, pixels_of(s_), chunks_.count, e.at(offset_), e.at(slope_),
                      in_finish ? gamma_.grad : nullptr, in_finish ? beta_.grad : nullptr});
    if (!p_.d_src || leaves_gradient_) return;
    const bool wide = is_wide(p_.src) && is_wide(p_.d_dst) && is_wide(p_.d_src.place);
    e.launch<Kernel::norm_grad_apply>({lane_blocks(s_, wide)},
                                      {e.values(p_.src),
                                       e.values(p_.d_dst),
                                       e.values(p_.d_src.place),
                                       {normed(e), e.at(cells_.mean), e.at(offset_), e.at(slope_)},
                                       s_.c,
                                       pixels_of(s_),
                                       all_pixels_of(s_),
                                       wide,
                                       p_.d_src.accumulate});
  }

  /// Running statistics, once the step counts.
  void follow(Emitter& e, Buffer* pass) const {
    const double count = static_cast<double>(s_.n) * pixels_of(s_);
    e.launch<Kernel::norm_follow>(
        {blocks(size(s_.c))}, {pass_at(e, pass), e.at(now_mean_), e.at(now_variance_), mean_.value,
                               variance_.value, s_.c, op_.momentum, count / (count - 1)});
  }

 private:
  bool is_fixed() const { return op_.statistics == NormStatistics::fixed; }
  unsigned units() const { return size(s_.n / unit_n_) * size(s_.c / unit_c_); }
  Grid chunk_grid() const { return {size(chunks_.count), blocks(size(s_.c), 32), size(s_.n)}; }
  Normed normed(Emitter& e) const { return {e.at(cells_.scale), e.at(cells_.shift), act_}; }

  Norm op_;
  UnaryPlaces p_;
  ParamPlace gamma_, beta_, mean_, variance_;
  Act act_;
  Shape s_;
  int unit_n_, unit_c_;  ///< pictures and channels that share mean and variance
  Chunks chunks_;
  NormCells cells_;
  Buffer *first_, *second_;  ///< parts of two sums
  bool is_given_moments_, leaves_gradient_;
  Moments moments_;
  Buffer *offset_ = nullptr, *slope_ = nullptr;
  Buffer *now_mean_ = nullptr, *now_variance_ = nullptr;
};

}  // namespace

void lower_op(Lowering& l, NodeId n, const Norm&) { add_norm(l, n, n, {act_none, 1.f}); }

bool takes_out_bias(const Norm& norm, int channels) {
  return norm.statistics != NormStatistics::fixed &&
         (norm.kind != NormKind::group || norm.groups == channels);
}

void add_norm(Lowering& l, NodeId norm, NodeId result, Act act) {
  const auto steps = std::make_shared<const NormSteps>(l, norm, result, act);
  l.norm_at(result) = steps->cells();
  if (const auto& to = l.gradient_in_front(l.node(norm).src[0])) *to = steps->in_front();
  if (steps->is_tracked())
    l.add_follower([steps, pass = l.pass()](Emitter& e) { steps->follow(e, pass); });
  l.add_maker(
      result, [steps](Emitter& e) { steps->forward(e); },
      [steps](Emitter& e) { steps->backward(e); }, [steps](Emitter& e) { steps->apply(e); });
}

}  // namespace unmar::cuda
