#include "image/marks.h"

#include <algorithm>

namespace unmar::image {

Marks::Marks(int channels, int height, int width, const std::filesystem::path& folder)
    : height_(height), width_(width), used_(static_cast<std::size_t>(channels)), folder_(folder) {}

void Marks::put(int channel, int y, std::span<const SampleUse> row) {
  static_assert(sizeof(SampleUse) == 1 && SampleUse{} == SampleUse::used);
  if (std::ranges::all_of(row, [](SampleUse use) { return use == SampleUse::used; })) return;
  if (!file_) file_.emplace(folder_);
  file_->write_at(place(channel, y, 0), std::as_bytes(row));
}

void Marks::take_back(int channel, const ValueRange& range) {
  used_[static_cast<std::size_t>(channel)] = range;
}

void Marks::get(int channel, int y, int x, std::span<const double> values,
                std::span<SampleUse> use) const {
  file_->read_at(place(channel, y, x), std::as_writable_bytes(use));
  const auto& range = used_[static_cast<std::size_t>(channel)];
  for (std::size_t i = 0; range && i < use.size(); ++i)
    if (values[i] >= range->black && values[i] <= range->white) use[i] = SampleUse::used;
}

std::uint64_t Marks::place(int channel, int y, int x) const {
  const auto row = static_cast<std::uint64_t>(channel) * static_cast<std::uint64_t>(height_) +
                   static_cast<std::uint64_t>(y);
  return row * static_cast<std::uint64_t>(width_) + static_cast<std::uint64_t>(x);
}

}  // namespace unmar::image
