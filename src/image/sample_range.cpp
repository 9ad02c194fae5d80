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

struct Seen {
  Extent extent{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  std::vector<double> values;  ///< some, spread over the picture

  bool nothing() const { return extent.low > extent.high; }
  void add(double value) {
    extent.low = std::min(extent.low, value);
    extent.high = std::max(extent.high, value);
  }
};

/// The samples that count. keep: about so many of them are kept, or all.
Seen look_over(const SampleSource& source, std::size_t keep) {
  const std::size_t step = std::max<std::size_t>(1, source.count() / keep);
  Seen seen;
  for (int y = 0; y < source.height; y += source.band) {
    const int rows = std::min(source.band, source.height - y);
    const Samples band = source.rows(y, rows);
    const auto width = static_cast<std::size_t>(source.width);
    const std::size_t above = static_cast<std::size_t>(y) * width;
    for (std::size_t i = 0; i < band.values.size(); ++i) {
      if (!band.counts(i)) continue;
      seen.add(band.values[i]);
      const std::size_t channel = i / band.plane(), in_plane = above + i % band.plane();
      const std::size_t place =
          channel * static_cast<std::size_t>(source.height) * width + in_plane;
      if (place % step == 0) seen.values.push_back(band.values[i]);
    }
  }
  return seen;
}

/// Returns the extent of what is left.
Extent mark_outside(const SampleSource& source, const Fences& fences, Outliers how, Marks& marks) {
  Seen left;
  const auto width = static_cast<std::size_t>(source.width);
  for (int y = 0; y < source.height; y += source.band) {
    const int end = std::min(source.height, y + source.band);
    const int top = std::max(0, y - source.margin);
    const int bottom = std::min(source.height, end + source.margin);
    Samples band = source.rows(top, bottom - top);
    mark_outliers(band, fences, how);
    for (int c = 0; c < source.channels; ++c)
      for (int row = y; row < end; ++row) {
        const std::size_t from = static_cast<std::size_t>(c) * band.plane() +
                                 static_cast<std::size_t>(row - top) * width;
        std::vector<SampleUse> use(width, SampleUse::used);
        for (std::size_t x = 0; x < width; ++x) {
          if (band.counts(from + x)) left.add(band.values[from + x]);
          const SampleUse is = band.use_of(from + x);
          if (is == SampleUse::outlier || is == SampleUse::kept) use[x] = is;
        }
        marks.put(source.first + c, row, use);
      }
  }
  return left.extent;
}

double quantile_of(std::vector<double>& values, double share) {
  const auto at = values.begin() + std::lround(share * (static_cast<double>(values.size()) - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

bool lies_in(const ValueRange& range, double value) {
  return value >= range.black && value <= range.white;
}

/// Of the picture without its outliers. What the whole range of the format holds is none.
ValueRange automatic_range(const SampleSource& source, Seen& all, SampleFormat format, Outliers how,
                           Marks& marks) {
  const auto fences = format == SampleFormat::u8 ? std::nullopt : fences_of(std::move(all.values));
  if (!fences || (lies_in(fences->near, all.extent.low) && lies_in(fences->near, all.extent.high)))
    return choose_range(RangeMode::automatic, format, all.extent);
  const Extent left = mark_outside(source, *fences, how, marks);
  const ValueRange full = full_range(format);
  const ValueRange range = choose_range(RangeMode::automatic, format, left);
  for (int c = 0; range == full && c < source.channels; ++c)
    marks.take_back(source.first + c, full);
  return range;
}

/// What the user leaves out is none of the picture.
ValueRange given_range(const SampleSource& source, const ValueRange& range, Outliers how,
                       Marks& marks) {
  mark_outside(source, {range, range, true}, how, marks);
  return range;
}

}  // namespace

ValueRange settle_range(const SampleSource& source, SampleFormat format, const ReadOptions& options,
                        const std::filesystem::path& path, Marks& marks) {
  if (options.fixed_range)
    return given_range(source, *options.fixed_range, options.outliers, marks);
  if (options.range == RangeMode::full && !options.percentiles) return full_range(format);
  // So many values are enough for percentiles that are given, and for those of the fences.
  constexpr std::size_t kMany = 16'000'000, kEnough = 1'000'000;
  Seen seen = look_over(source, options.percentiles ? kMany : kEnough);
  if (seen.nothing())
    fail(ErrorCode::bad_input, "read_image: '{}' has no value that is known and finite",
         path.string());
  if (!options.percentiles) {
    if (options.range == RangeMode::automatic)
      return automatic_range(source, seen, format, options.outliers, marks);
    return choose_range(options.range, format, seen.extent);
  }
  if (!seen.values.empty()) {
    const ValueRange range{quantile_of(seen.values, options.percentiles->black / 100),
                           quantile_of(seen.values, options.percentiles->white / 100)};
    if (range.white > range.black) return given_range(source, range, options.outliers, marks);
  }
  return choose_range(RangeMode::data, format, seen.extent);
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
         "`range`: '{}' is none; give auto, full, data, LOW..HIGH (as 0..4095) or P..Q% (as "
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

Rect region_of(std::string_view text) {
  Rect r;
  const char *at = text.data(), *end = at + text.size();
  for (const auto& [number, behind] :
       {std::pair{&r.x, ','}, {&r.y, ','}, {&r.width, 'x'}, {&r.height, '\0'}}) {
    const auto [stop, error] = std::from_chars(at, end, *number);
    const bool last = behind == '\0';
    if (error != std::errc{} || *number < 0 ||
        (last ? stop != end : stop == end || *stop != behind))
      fail(ErrorCode::bad_argument,
           "`region`: '{}' is none; give X,Y,WxH in pixels, as 1200,800,400x300", text);
    at = stop + 1;
  }
  return r;
}

std::string to_string(const Rect& r) {
  return fmt::format("{},{},{}x{}", r.x, r.y, r.width, r.height);
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
  fail(ErrorCode::bad_argument, "`outliers`: '{}' is none; take keep, fill or auto", name);
}

}  // namespace unmar
