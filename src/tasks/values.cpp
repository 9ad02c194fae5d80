#include "tasks/values.h"

#include <fmt/format.h>

#include <algorithm>

namespace unmar {

Tensor usable_values(const Image& picture) {
  const auto& use = picture.source.use;
  if (!use || use->size() != picture.count() ||
      std::ranges::all_of(*use, [](SampleUse u) { return u == SampleUse::used; }))
    return {};
  Tensor usable({1, picture.channels(), picture.height(), picture.width()});
  std::ranges::transform(*use, usable.data(),
                         [](SampleUse u) { return u == SampleUse::used ? 1.f : 0.f; });
  return usable;
}

Tensor take_values(Plan& plan, const Image& picture) {
  plan.counts = count_values(picture);
  plan.source = picture.source;
  plan.source.use = nullptr;
  plan.y = to_tensor(picture);
  Tensor usable = usable_values(picture);
  if (!usable.empty()) plan.y = filled_by_neighbours(plan.y, usable);
  plan.input = to_image(plan.y, plan.source);
  return usable;
}

void paste_kept(Plan& plan, const Image& picture, int factor) {
  const auto& use = picture.source.use;
  if (!use || std::ranges::find(*use, SampleUse::kept) == use->end()) return;
  const int channels = picture.channels();
  if (plan.paste.channels() != channels) {
    const Image given = std::move(plan.paste);
    plan.paste = Image(channels, plan.input.height(), plan.input.width());
    for (int c = 0; !given.empty() && c < channels; ++c)
      std::ranges::copy(given.plane(0), plan.paste.plane(c).begin());
  }
  const std::size_t plane = picture.plane(0).size();
  for (int c = 0; c < channels; ++c)
    for (int y = 0; y < plan.input.height(); ++y)
      for (int x = 0; x < plan.input.width(); ++x) {
        const auto at =
            static_cast<std::size_t>(y / factor) * static_cast<std::size_t>(picture.width()) +
            static_cast<std::size_t>(x / factor);
        if ((*use)[static_cast<std::size_t>(c) * plane + at] != SampleUse::kept) continue;
        plan.paste.at(c, y, x) = 1.f;
        plan.input.at(c, y, x) = picture.plane(c)[at];
      }
}

ValueCounts& ValueCounts::operator+=(const ValueCounts& other) {
  all += other.all;
  known += other.known;
  blended += other.blended;
  masked += other.masked;
  missing += other.missing;
  outliers_filled += other.outliers_filled;
  outliers_kept += other.outliers_kept;
  return *this;
}

ValueCounts count_values(const Image& picture, const Image* known) {
  ValueCounts counts;
  counts.all = picture.count();
  const std::size_t plane = picture.plane(0).size();
  const auto& use = picture.source.use;
  for (std::size_t i = 0; i < counts.all; ++i) {
    const float weight = known ? known->pixels()[i % plane] : 1.f;
    const SampleUse u = use && use->size() == counts.all ? (*use)[i] : SampleUse::used;
    if (!(weight > 0.f) || u == SampleUse::discarded)
      ++counts.masked;
    else if (u == SampleUse::missing)
      ++counts.missing;
    else if (u == SampleUse::outlier)
      ++counts.outliers_filled;
    else if (u == SampleUse::kept)
      ++counts.outliers_kept;
    else
      ++(weight < 1.f ? counts.blended : counts.known);
  }
  return counts;
}

std::string in_words(const ValueCounts& counts) {
  const auto percent = [&](std::size_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(counts.all);
  };
  std::string text;
  const auto line = [&](const std::string& words) { text += (text.empty() ? "" : "\n") + words; };
  if (counts.masked + counts.blended > 0) {
    line(fmt::format("{:.1f} % of the picture is known", percent(counts.known)));
    if (counts.blended > 0) text += fmt::format(", {:.1f} % is blended", percent(counts.blended));
    if (2 * counts.known < counts.all)
      text += "; if the mask is white where it is to be filled, add `invert_mask`";
  }
  if (counts.missing > 0)
    line(fmt::format("{} of {} values are NaN, infinite or blank: filled", counts.missing,
                     counts.all));
  if (counts.outliers_filled + counts.outliers_kept > 0)
    line(
        fmt::format("{} of {} values lie outside of the range: {} filled, {} kept as they were "
                    "(`outliers`, `range`)",
                    counts.outliers_filled + counts.outliers_kept, counts.all,
                    counts.outliers_filled, counts.outliers_kept));
  return text;
}

}  // namespace unmar
