#include "engine/cuda/profile.h"

#include <algorithm>

#include "engine/plan/describe.h"

namespace unmar::cuda {
namespace {

StepProfile row_of(const Graph& graph, const Lowered& lowered, std::size_t step) {
  const NodeId id = lowered.steps[step].node;
  const Node& node = graph.node(id);
  StepProfile row;
  row.name = node.name;
  row.op = op_label(node.op);
  row.kind = op_kind(node.op);
  const auto is_made_before = [&](NodeId n) {
    return std::any_of(lowered.steps.begin(),
                       lowered.steps.begin() + static_cast<std::ptrdiff_t>(step),
                       [&](const Step& s) { return s.node == n; });
  };
  if (std::holds_alternative<Activation>(node.op) && !is_made_before(node.src[0]) &&
      std::holds_alternative<Norm>(graph.node(node.src[0]).op)) {
    row.op = "norm + " + row.op;
    row.kind = "norm";
  }
  // A node may have several steps, such as one that makes it again: the first one computes it.
  if (!is_made_before(id) && row.kind == "convolution")
    row.direct_macs = row.product_macs = direct_macs(graph, lowered.grad, id);
  return row;
}

}  // namespace

StepClock::StepClock(const Graph& graph, const ProgramPlan& plan, const Passes& passes,
                     std::size_t parameters, const std::shared_ptr<CardInUse>& card) {
  for (std::size_t i = 0; i < plan.lowered.steps.size(); ++i)
    rows_.push_back(row_of(graph, plan.lowered, i));
  const std::size_t around = add_row("kept values, norm of gradients", "report");
  const std::size_t adam = add_row("adam", "optimiser");
  for (const int copy : {0, 1}) {
    for (const Launch& l : passes.update) add(adam, true, l, copy);
    for (const auto* pass : {&passes.forward, &passes.backward})
      for (const Launch& l : *pass)
        add(l.step < 0 ? around : static_cast<std::size_t>(l.step), l.in_backward, l, copy);
    for (const Launch& l : passes.publish[copy]) add(around, false, l, copy);
    for (const Launch& l : passes.report) add(around, true, l, copy);
  }
  // Value and both moments are read and written, the gradient is read.
  rows_[adam].traffic_bytes = 7 * sizeof(float) * parameters;
  marks_ = std::make_unique<Marks>(card, stretches_[0].size() + 1);
}

void StepClock::add(std::size_t row, bool backward, const Launch& launch, int copy) {
  std::vector<Stretch>& stretches = stretches_[copy];
  if (stretches.empty() || stretches.back().row != row || stretches.back().backward != backward)
    stretches.push_back({row, backward, {}});
  stretches.back().launches.push_back(launch);
  if (copy != 0) return;
  ++rows_[row].launches;
  rows_[row].traffic_bytes += launch.bytes;
}

std::size_t StepClock::add_row(const char* name, const char* kind) {
  StepProfile& row = rows_.emplace_back();
  row.name = row.op = name;
  row.kind = kind;
  return rows_.size() - 1;
}

void StepClock::queue_step(Queue& queue, int copy) {
  copy_ = copy;
  std::size_t mark = 0;
  marks_->set(queue, mark++);
  for (const Stretch& stretch : stretches_[copy]) {
    queue.launch(stretch.launches);
    marks_->set(queue, mark++);
  }
}

void StepClock::take_times() {
  std::size_t mark = 0;
  for (const Stretch& stretch : stretches_[copy_]) {
    const double seconds = marks_->seconds(mark, mark + 1);
    StepProfile& row = rows_[stretch.row];
    (stretch.backward ? row.backward_seconds : row.forward_seconds) += seconds;
    ++mark;
  }
  ++iterations_;
}

std::vector<StepProfile> StepClock::rows() const {
  std::vector<StepProfile> rows = rows_;
  for (StepProfile& row : rows) {
    row.forward_seconds /= std::max(1, iterations_);
    row.backward_seconds /= std::max(1, iterations_);
  }
  return rows;
}

}  // namespace unmar::cuda
