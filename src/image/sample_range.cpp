#include "image/sample_range.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/fail.h"
#include "image/outliers.h"

namespace unmar::image {
namespace {

// Below this share of the format a picture would be nearly black: 12 bits in 16, a dim exposure.
constexpr double kLeastShare = 0.25;

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

Extent extent_of(const Samples& samples) {
  Extent extent{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    if (!samples.counts(i)) continue;
    const double value = samples.values[i];
    extent.low = std::min(extent.low, value);
    extent.high = std::max(extent.high, value);
  }
  return extent;
}

ValueRange range_of_percentiles(const Samples& samples, const ValueRange& percentiles) {
  std::vector<double> values;
  for (std::size_t i = 0; i < samples.values.size(); ++i)
    if (samples.counts(i)) values.push_back(samples.values[i]);
  const auto at = [&](double percent) {
    const auto place =
        values.begin() + std::lround(percent / 100 * (static_cast<double>(values.size()) - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
  };
  return {at(percentiles.black), at(percentiles.white)};
}

bool lies_in(const ValueRange& range, double value) {
  return value >= range.black && value <= range.white;
}

/// Of the picture without its outliers. What the whole range of the format holds is none.
ValueRange automatic_range(Samples& samples, SampleFormat format, Outliers how) {
  const Extent all = extent_of(samples);
  const auto fences = format == SampleFormat::u8 ? std::nullopt : fences_of(samples);
  if (!fences || (lies_in(fences->near, all.low) && lies_in(fences->near, all.high)))
    return choose_range(RangeMode::automatic, format, all);
  mark_outliers(samples, *fences, how);
  const ValueRange full = full_range(format);
  const ValueRange range = choose_range(RangeMode::automatic, format, extent_of(samples));
  if (range != full) return range;
  for (std::size_t i = 0; i < samples.use.size(); ++i) {
    SampleUse& use = samples.use[i];
    const bool outside = use == SampleUse::outlier || use == SampleUse::kept;
    if (outside && lies_in(full, samples.values[i])) use = SampleUse::used;
  }
  return range;
}

/// What the user leaves out is none of the picture.
ValueRange given_range(Samples& samples, const ValueRange& range, Outliers how) {
  mark_outliers(samples, {range, range, true}, how);
  return range;
}

}  // namespace

ValueRange settle_range(Samples& samples, SampleFormat format, const ReadOptions& options,
                        const std::filesystem::path& path) {
  if (options.fixed_range) return given_range(samples, *options.fixed_range, options.outliers);
  if (options.range == RangeMode::full && !options.percentiles) return full_range(format);
  if (extent_of(samples).low > extent_of(samples).high)
    fail(ErrorCode::bad_input, "read_image: '{}' has no value that is known and finite",
         path.string());
  if (!options.percentiles) {
    if (options.range == RangeMode::automatic)
      return automatic_range(samples, format, options.outliers);
    return choose_range(options.range, format, extent_of(samples));
  }
  const ValueRange range = range_of_percentiles(samples, *options.percentiles);
  if (range.white > range.black) return given_range(samples, range, options.outliers);
  return choose_range(RangeMode::data, format, extent_of(samples));
}

std::string_view name_of(SampleFormat format) {
  switch (format) {
    case SampleFormat::u8:
      return "8 bit";
    case SampleFormat::u16:
      return "16 bit";
    case SampleFormat::f32:
      return "float";
  }
  return "?";
}

ValueRange full_range(SampleFormat format) {
  switch (format) {
    case SampleFormat::u8:
      return {0, 255};
    case SampleFormat::u16:
      return {0, 65535};
    case SampleFormat::f32:
      return {0, 1};
  }
  return {};
}

double opaque_value(const ImageSource& source) {
  switch (source.numbers) {
    case OtherNumbers::i8:
      return std::numeric_limits<std::int8_t>::max();
    case OtherNumbers::i16:
      return std::numeric_limits<std::int16_t>::max();
    case OtherNumbers::u32:
      return std::numeric_limits<std::uint32_t>::max();
    case OtherNumbers::i32:
      return std::numeric_limits<std::int32_t>::max();
    case OtherNumbers::f64:
    case OtherNumbers::none:
      break;
  }
  return full_range(source.format).white;
}

ValueRange choose_range(RangeMode mode, SampleFormat format, Extent data) {
  const ValueRange full = full_range(format);
  if (mode == RangeMode::full) return full;
  const bool within = data.low >= full.black && data.high <= full.white;
  if (mode == RangeMode::automatic && within) {
    const double share = (data.high - data.low) / (full.white - full.black);
    if (format == SampleFormat::u8 || share >= kLeastShare) return full;
  }
  if (data.high > data.low) return {data.low, data.high};
  return within ? full : ValueRange{data.low, data.low + std::max(1.0, std::abs(data.low))};
}

ValueRange range_to_write(const ImageSource& source, int channel, SampleFormat target) {
  const ValueRange& range = range_of(source, channel);
  if (target == source.format) return range;
  const bool units_fit = target == SampleFormat::f32 && range != full_range(source.format);
  return units_fit ? range : full_range(target);
}

}  // namespace unmar::image

namespace unmar {

void parse_range(std::string_view text, ReadOptions& options) {
  const auto refuse = [&](const char* rule) {
    fail(ErrorCode::bad_argument,
         "--range: '{}' is none; give auto, full, data, LOW..HIGH (as 0..4095) or P..Q% (as "
         "0.1..99.9%){}",
         text, rule);
  };
  options.fixed_range.reset();
  options.percentiles.reset();
  options.range = RangeMode::automatic;
  if (text == "auto" || text == "automatic") return;
  if (text == "full" || text == "data") {
    options.range = text == "full" ? RangeMode::full : RangeMode::data;
    return;
  }
  const bool percent = text.ends_with('%');
  const std::string_view numbers = percent ? text.substr(0, text.size() - 1) : text;
  const std::size_t dots = numbers.find("..");
  if (dots == numbers.npos) refuse("");
  const auto low = image::number_in(numbers.substr(0, dots));
  const auto high = image::number_in(numbers.substr(dots + 2));
  if (!low || !high) refuse("");
  if (!(*low < *high)) refuse(", the lower one first");
  if (percent && (*low < 0 || *high > 100)) refuse(", of 0 to 100 %");
  (percent ? options.percentiles : options.fixed_range) = ValueRange{*low, *high};
}

std::string range_in_words(const ReadOptions& options) {
  if (const auto& r = options.fixed_range) return fmt::format("{}..{}", r->black, r->white);
  if (const auto& p = options.percentiles) return fmt::format("{}..{}%", p->black, p->white);
  return options.range == RangeMode::full   ? "full"
         : options.range == RangeMode::data ? "data"
                                            : "auto";
}

const char* to_string(Outliers outliers) {
  return outliers == Outliers::keep ? "keep" : outliers == Outliers::fill ? "fill" : "auto";
}

Outliers outliers_named(std::string_view name) {
  for (const Outliers o : {Outliers::automatic, Outliers::keep, Outliers::fill})
    if (name == to_string(o)) return o;
  fail(ErrorCode::bad_argument, "--outliers: '{}' is none; take keep, fill or auto", name);
}

}  // namespace unmar
