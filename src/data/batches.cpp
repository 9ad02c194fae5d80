#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "base/fail.h"
#include "unmar/base/random.h"
#include "unmar/data/dataset.h"

namespace unmar {

Dataset padded(const Dataset& dataset, int size) {
  if (dataset.height > size || dataset.width > size)
    fail(ErrorCode::bad_argument, "padded: pictures of {}x{} px do not fit into {}x{}",
         dataset.width, dataset.height, size, size);
  Dataset result{dataset.channels, size, size, {}};
  result.samples.resize(dataset.count() * result.picture_size());
  const auto width = static_cast<std::size_t>(dataset.width);
  const auto top = static_cast<std::size_t>((size - dataset.height) / 2);
  const auto left = static_cast<std::size_t>((size - dataset.width) / 2);
  const auto side = static_cast<std::size_t>(size);
  for (std::size_t row = 0; row < dataset.samples.size() / width; ++row) {
    const std::size_t height = static_cast<std::size_t>(dataset.height);
    const std::size_t plane = row / height, y = row % height + top;
    std::copy_n(&dataset.samples[row * width], width,
                &result.samples[(plane * side + y) * side + left]);
  }
  return result;
}

Batches::Batches(Dataset dataset, const BatchOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  if (dataset_.count() == 0) fail(ErrorCode::bad_argument, "batches: the dataset is empty");
  if (options.batch < 1)
    fail(ErrorCode::bad_argument, "batches: batch must be at least 1, got {}", options.batch);
}

void Batches::shuffle(std::int64_t pass) {
  const std::size_t count = dataset_.count();
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0u);
  std::vector<float> draws(count);
  Random(options_.seed, fmt::format("order.{}", pass)).uniform(draws, 0.f, 1.f);
  for (std::size_t i = count; i > 1; --i)
    std::swap(order_[i - 1], order_[static_cast<std::size_t>(static_cast<double>(draws[i - 1]) *
                                                             static_cast<double>(i))]);
  flipped_.assign(count, 0.f);
  if (options_.flip) Random(options_.seed, fmt::format("flip.{}", pass)).bernoulli(flipped_, 0.5f);
  pass_ = pass;
}

Tensor Batches::at(std::int64_t number) {
  if (number < 0)
    fail(ErrorCode::bad_argument, "batches: the number must not be negative, got {}", number);
  Tensor batch({options_.batch, dataset_.channels, dataset_.height, dataset_.width});
  const auto count = static_cast<std::int64_t>(dataset_.count());
  const auto width = static_cast<std::size_t>(dataset_.width);
  const std::size_t size = dataset_.picture_size();
  float* dst = batch.data();
  for (std::int64_t i = number * options_.batch; i < (number + 1) * options_.batch; ++i) {
    if (i / count != pass_) shuffle(i / count);
    const auto place = static_cast<std::size_t>(i % count);
    const std::uint8_t* picture = &dataset_.samples[order_[place] * size];
    const bool flip = flipped_[place] > 0.f;
    for (std::size_t j = 0; j < size; ++j) {
      const std::size_t x = j % width;
      const std::uint8_t value = picture[flip ? j - x + width - 1 - x : j];
      *dst++ = static_cast<float>(value) / 127.5f - 1.f;
    }
  }
  return batch;
}

}  // namespace unmar
