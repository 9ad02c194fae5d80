#include "fit/state.h"

#include <algorithm>

#include "base/fail.h"

namespace unmar {
namespace {

bool same_shapes(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, {}, &Tensor::shape, &Tensor::shape);
}

std::size_t numbers_in(const std::vector<Tensor>& tensors) {
  std::size_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.count();
  return count;
}

}  // namespace

// The names in brackets make a new member an error here until it is saved too.

void serialize(Archive& archive, HistoryRow& row) {
  auto& [iteration, loss, psnr, psnr_average, signal, rolled_back, part, watched] = row;
  archive(iteration, loss, psnr, psnr_average, signal, rolled_back, part, watched);
}

void serialize(Archive& archive, WatchedRow& row) {
  auto& [signal, best, stopped] = row;
  archive(signal, best, stopped);
}

void serialize(Archive& archive, Watched& watched) {
  auto& [name, best_iteration, stopped_at, seconds] = watched;
  archive(name, best_iteration, stopped_at, seconds);
}

void serialize(Archive& archive, FittedPart& part) {
  auto& [phase, iterations, best_iteration, final_loss] = part;
  archive(phase, iterations, best_iteration, final_loss);
}

bool same_shapes(const TrainState& a, const TrainState& b) {
  return same_shapes(a.params, b.params) && same_shapes(a.m, b.m) && same_shapes(a.v, b.v);
}

void require_same_network(const TrainState& read, const TrainState& own) {
  if (same_shapes(read, own)) return;
  fail(ErrorCode::bad_input,
       "fit: the state to resume is of another network ({} tensors of {} numbers, not {} of {})",
       read.params.size(), numbers_in(read.params), own.params.size(), numbers_in(own.params));
}

}  // namespace unmar
