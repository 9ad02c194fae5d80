#include "image/file_parts.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/fail.h"
#include "image/fits_read.h"
#include "image/metadata_files.h"
#include "image/reading.h"

namespace unmar::image {
namespace {

using vips::VImage;

constexpr std::size_t kSamplesAtOnce = 8'000'000;
constexpr int kMargin = 128;  // rows

/// Calls body with a pointer to no sample, of the right type.
template <class Body>
auto with_type(VipsBandFormat format, Body body) {
  switch (format) {
    case VIPS_FORMAT_UCHAR:
      return body(static_cast<const unsigned char*>(nullptr));
    case VIPS_FORMAT_CHAR:
      return body(static_cast<const signed char*>(nullptr));
    case VIPS_FORMAT_USHORT:
      return body(static_cast<const unsigned short*>(nullptr));
    case VIPS_FORMAT_SHORT:
      return body(static_cast<const short*>(nullptr));
    case VIPS_FORMAT_UINT:
      return body(static_cast<const unsigned int*>(nullptr));
    case VIPS_FORMAT_INT:
      return body(static_cast<const int*>(nullptr));
    case VIPS_FORMAT_DOUBLE:
      return body(static_cast<const double*>(nullptr));
    default:  // complex was refused
      return body(static_cast<const float*>(nullptr));
  }
}

/// blank: as text tells it or as BSCALE and BZERO make it, with more digits than a float has.
template <class T>
bool is_blank(double value, double blank) {
  if (value == blank) return true;
  return std::is_floating_point_v<T> && static_cast<float>(value) == static_cast<float>(blank);
}

/// Calls visit(row of the part, its interleaved samples).
template <class Visit>
void for_rows(const VImage& pixels, const Rect& rect, Visit visit) {
  const std::unique_ptr<VipsRegion, void (*)(void*)> region(vips_region_new(pixels.get_image()),
                                                            &g_object_unref);
  const VipsRect wanted{rect.x, rect.y, rect.width, rect.height};
  if (!region || vips_region_prepare(region.get(), &wanted) != 0) throw vips::VError();
  with_type(pixels.format(), [&]<class T>(const T*) {
    for (int y = 0; y < rect.height; ++y)
      visit(static_cast<std::size_t>(y),
            reinterpret_cast<const T*>(VIPS_REGION_ADDR(region.get(), rect.x, rect.y + y)));
  });
}

/// Decodes into the file, from the top, and goes on from there.
VImage laid_down(const VImage& decoding, ScratchFile& file) {
  const Rect all{0, 0, decoding.height(), decoding.width()};
  const std::size_t row = static_cast<std::size_t>(all.width) *
                          static_cast<std::size_t>(decoding.bands()) *
                          vips_format_sizeof(decoding.format());
  for (int y = 0; y < all.height; y += kMargin) {
    const Rect strip{y, 0, std::min(kMargin, all.height - y), all.width};
    for_rows(decoding, strip, [&](std::size_t i, const auto* samples) {
      file.write_at((static_cast<std::uint64_t>(y) + i) * row,
                    std::as_bytes(std::span(reinterpret_cast<const char*>(samples), row)));
    });
  }
  VImage lying = VImage::rawload(file.path().c_str(), all.width, all.height, decoding.bands(),
                                 VImage::option()->set("format", decoding.format()))
                     .copy();
  if (decoding.get_typeof(VIPS_META_ORIENTATION) != 0)
    lying.set(VIPS_META_ORIENTATION, decoding.get_int(VIPS_META_ORIENTATION));
  return lying;
}

Rect whole_rows(const VImage& pixels, int y, int count) { return {y, 0, count, pixels.width()}; }

}  // namespace

FileParts::FileParts(Opened opened, FileKind kind, const std::filesystem::path& path,
                     const ReadOptions& options, const PictureParts* known, const Holding& holding)
    : path_(path),
      known_(known),
      meaning_(opened.meaning),
      channels_(opened.channels),
      pixels_(opened.pixels),
      marks_(opened.channels, opened.turned ? opened.pixels.width() : opened.pixels.height(),
             opened.turned ? opened.pixels.height() : opened.pixels.width(), holding.folder) {
  const SharedMetadata metadata = read_metadata(opened.opened, kind, path, opened.place);
  source_.icc_profile = profile_of(pixels_, channels_);
  source_.format = opened.format;
  source_.numbers = numbers_of(opened.pixels);
  source_.warning = opened.unread;
  opened = {};
  hold(holding, kind == FileKind::fits ? metadata : nullptr);
  check_known_size();
  source_.multiplied = meaning_.multiplied;
  source_.begins_with_rgb = meaning_.begins_with_rgb;
  source_.metadata = metadata;
  choose_region(options.region);
  plain_ = is_plain(options);
  if (plain_) {
    source_.range = full_range(source_.format);
    return;
  }
  settle_ranges(options, holding);
}

void FileParts::hold(const Holding& holding, const SharedMetadata& metadata) {
  const auto bytes = static_cast<double>(VIPS_IMAGE_SIZEOF_IMAGE(pixels_.get_image()));
  const bool in_memory = holding.folder.empty() || bytes <= holding.most_in_memory;
  const auto held = [&] { pixels_ = in_memory ? pixels_.copy_memory() : pixels_; };
  if (in_memory) {
    held();
  } else {
    scratch_ = std::make_unique<ScratchFile>(holding.folder);
    pixels_ = laid_down(pixels_, *scratch_);
  }
  if (metadata && is_top_down(metadata->cards)) {
    pixels_ = pixels_.flip(VIPS_DIRECTION_VERTICAL);
    held();
  }
  if (pixels_.get_typeof(VIPS_META_ORIENTATION) != 0) {
    pixels_ = pixels_.autorot();
    held();
  }
}

void FileParts::choose_region(const std::optional<Rect>& wanted) {
  const int height = pixels_.height(), width = pixels_.width();
  region_ = wanted.value_or(Rect{0, 0, height, width});
  const Rect& r = region_;
  if (r.y < 0 || r.x < 0 || r.height < 1 || r.width < 1 || r.y > height - r.height ||
      r.x > width - r.width)
    fail(ErrorCode::bad_argument, "{}: the region {} is not inside '{}', which is {}x{} px",
         kReadImage, to_string(r), path_.string(), width, height);
  if (wanted) source_.metadata = cropped(source_.metadata, r, height);
}

void FileParts::check_known_size() const {
  if (!known_ || (known_->width() == pixels_.width() && known_->height() == pixels_.height()))
    return;
  fail(ErrorCode::bad_input,
       "{}: the mask is {}x{} px but the picture '{}' is {}x{} px; give a mask of the same size",
       kReadImage, known_->width(), known_->height(), path_.string(), pixels_.width(),
       pixels_.height());
}

/// Whether nothing can be marked, so that the samples need not be looked at before.
bool FileParts::is_plain(const ReadOptions& options) const {
  const bool automatic =
      options.range != RangeMode::data && !options.percentiles && !options.fixed_range;
  return source_.format == SampleFormat::u8 && automatic && !known_ && !meaning_.blank &&
         !meaning_.multiplied;
}

void FileParts::check_missing(double most) const {
  const bool possible = source_.format == SampleFormat::f32 || meaning_.blank;
  std::size_t count = 0;
  const std::size_t all = static_cast<std::size_t>(channels_) *
                          static_cast<std::size_t>(pixels_.height()) *
                          static_cast<std::size_t>(pixels_.width());
  for (int c = 0; possible && c < channels_; ++c)
    for (int y = 0; y < pixels_.height(); y += kMargin) {
      const Rect band = whole_rows(pixels_, y, std::min(kMargin, pixels_.height() - y));
      const Samples samples = samples_of(band, c, 1, alpha_of(band));
      count += static_cast<std::size_t>(std::ranges::count(samples.use, SampleUse::missing));
    }
  if (static_cast<double>(count) <= most * static_cast<double>(all)) return;
  const bool none = most <= 0;
  fail(ErrorCode::bad_input, "{}: '{}' has {} NaN or infinite values of {}{}", kReadImage,
       path_.string(), count, all,
       none ? "; replace them (by 0, say) and mark them as missing in a mask"
            : fmt::format(", more than {:.0f} % of them; there is too little to fill them from",
                          100 * most));
}

/// Channels that are no colours have nothing to do with each other: each has its own range.
void FileParts::settle_ranges(ReadOptions options, const Holding& holding) {
  any_opaque_ = pixels_.bands() == channels_;
  for (int y = 0; !any_opaque_ && y < pixels_.height(); y += kMargin)
    any_opaque_ = std::ranges::any_of(
        alpha_of(whole_rows(pixels_, y, std::min(kMargin, pixels_.height() - y))),
        [](float alpha) { return alpha > 0.f; });
  check_missing(options.max_missing);
  const auto source_of = [&](int first, int count) {
    SampleSource source{count, pixels_.height(), pixels_.width(), first, pixels_.height(), 0, {}};
    if (!holding.folder.empty() || holding.most_rows > 0) {
      const auto row = static_cast<std::size_t>(pixels_.width()) * static_cast<std::size_t>(count);
      const auto rows = static_cast<int>(kSamplesAtOnce / row) - 2 * kMargin;
      const int most = holding.most_rows > 0 ? holding.most_rows : pixels_.height();
      source.band = std::clamp(rows, std::min(64, pixels_.height()), pixels_.height());
      source.band = std::min(source.band, most);
      source.margin = kMargin;
    }
    source.rows = [this, first, count](int y, int rows) {
      const Rect band = whole_rows(pixels_, y, rows);
      return samples_of(band, first, count, alpha_of(band));
    };
    return source;
  };
  const auto settle = [&](int first, int count) {
    return settle_range(source_of(first, count), source_.format, options, path_, marks_);
  };
  if (channels_ == 1 || channels_ == 3 || source_.format == SampleFormat::u8) {
    source_.range = settle(0, channels_);
    return;
  }
  const std::vector<ValueRange> given = std::move(options.channel_ranges);
  for (int c = 0; c < channels_; ++c) {
    if (given.size() > static_cast<std::size_t>(c))
      options.fixed_range = given[static_cast<std::size_t>(c)];
    source_.channel_ranges.push_back(settle(c, 1));
  }
  source_.range = source_.channel_ranges.front();
}

std::vector<float> FileParts::alpha_of(const Rect& rect) const {
  const auto bands = static_cast<std::size_t>(pixels_.bands());
  const auto channels = static_cast<std::size_t>(channels_);
  if (bands == channels) return {};
  const double opaque = opaque_value(source_);
  const auto width = static_cast<std::size_t>(rect.width);
  std::vector<float> alpha(static_cast<std::size_t>(rect.height) * width);
  for_rows(pixels_, rect, [&](std::size_t y, const auto* row) {
    for (std::size_t x = 0; x < width; ++x) {
      const double value = static_cast<double>(row[x * bands + channels]) / opaque;
      // In this order NaN becomes 0.
      alpha[y * width + x] = static_cast<float>(std::min(1.0, std::max(0.0, value)));
    }
  });
  return alpha;
}

Samples FileParts::samples_of(const Rect& rect, int first, int count,
                              std::span<const float> alpha) const {
  Samples samples{count, rect.height, rect.width, {}, {}, {}};
  const std::size_t plane = samples.plane();
  samples.values.resize(static_cast<std::size_t>(count) * plane);
  const auto bands = static_cast<std::size_t>(pixels_.bands());
  const auto width = static_cast<std::size_t>(rect.width);
  for_rows(pixels_, rect, [&]<class T>(std::size_t y, const T* row) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c)
      for (std::size_t x = 0; x < width; ++x) {
        const std::size_t i = c * plane + y * width + x;
        const auto value =
            static_cast<double>(row[x * bands + static_cast<std::size_t>(first) + c]);
        samples.values[i] = value;
        if (!std::isfinite(value) || (meaning_.blank && is_blank<T>(value, *meaning_.blank)))
          samples.mark(i, SampleUse::missing);
      }
  });
  if (meaning_.multiplied)  // colours as they are without alpha
    for (std::size_t i = 0; i < samples.values.size(); ++i)
      if (const float a = alpha[i % plane]; a > 0.f) samples.values[i] /= static_cast<double>(a);
  apply_known(samples, rect, alpha);
  return samples;
}

/// What `known` discards, and what tells nothing of the range.
void FileParts::apply_known(Samples& samples, const Rect& rect,
                            std::span<const float> alpha) const {
  const std::size_t plane = samples.plane();
  if (known_) {
    const Image known = known_->part(rect);
    samples.uncounted.resize(plane);
    for (std::size_t i = 0; i < samples.values.size(); ++i) {
      const float weight = known.pixels()[i % plane];
      if (!(weight > 0.f)) samples.mark(i, SampleUse::discarded);
      if (weight < 1.f) samples.uncounted[i % plane] = true;
    }
  }
  if (!any_opaque_) return;  // then alpha is no news at all
  if (std::ranges::none_of(alpha, [](float a) { return a <= 0.f; })) return;
  samples.uncounted.resize(plane);
  for (std::size_t i = 0; i < plane; ++i)
    if (alpha[i] <= 0.f) samples.uncounted[i] = true;
}

/// Eight bits in their whole range.
void FileParts::fill_plainly(Image& image, const Rect& rect) const {
  const auto bands = static_cast<std::size_t>(pixels_.bands());
  const auto width = static_cast<std::size_t>(rect.width);
  for_rows(pixels_, rect, [&](std::size_t y, const auto* row) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c) {
      float* to = image.plane(static_cast<int>(c)).data() + y * width;
      for (std::size_t x = 0; x < width; ++x)
        to[x] = pixel_of(static_cast<double>(row[x * bands + c]), source_.range);
    }
  });
}

void FileParts::fill(Image& image, const Rect& rect) const {
  Samples samples = samples_of(rect, 0, channels_, image.source.alpha);
  const std::size_t plane = samples.plane();
  const auto width = static_cast<std::size_t>(rect.width);
  std::vector<SampleUse> marked(width);
  for (int c = 0; marks_.any() && c < channels_; ++c)
    for (int y = 0; y < rect.height; ++y) {
      const std::size_t from =
          static_cast<std::size_t>(c) * plane + static_cast<std::size_t>(y) * width;
      marks_.get(c, rect.y + y, rect.x, std::span(samples.values).subspan(from, width), marked);
      for (std::size_t x = 0; x < width; ++x)
        if (marked[x] != SampleUse::used) samples.mark(from + x, marked[x]);
    }
  for (std::size_t i = 0; i < samples.values.size(); ++i)
    image.pixels()[i] =
        samples.use_of(i) == SampleUse::missing || samples.use_of(i) == SampleUse::discarded
            ? 0.f
            : pixel_of(samples.values[i], range_of(source_, static_cast<int>(i / plane)));
  if (std::ranges::any_of(samples.use, [](SampleUse use) { return use != SampleUse::used; }))
    image.source.use = std::make_shared<const std::vector<SampleUse>>(std::move(samples.use));
  if (source_.format == SampleFormat::f32)
    image.source.stored = std::make_shared<const std::vector<double>>(std::move(samples.values));
}

Image FileParts::part(const Rect& in_region) const {
  const Rect rect{region_.y + in_region.y, region_.x + in_region.x, in_region.height,
                  in_region.width};
  return reading(path_, [&] {
    Image image(channels_, rect.height, rect.width);
    image.source = source_;
    image.source.alpha = alpha_of(rect);
    if (plain_)
      fill_plainly(image, rect);
    else
      fill(image, rect);
    return image;
  });
}

}  // namespace unmar::image
