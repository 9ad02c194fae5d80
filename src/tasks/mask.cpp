#include "tasks/mask.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/fail.h"

namespace unmar {
namespace {

using Plane = std::vector<float>;

/// The value below which `share` of the values lie; NaN if there are none.
float quantile(Plane values, double share) {
  if (values.empty()) return NAN;
  const auto at = values.begin() + std::lround(share * (static_cast<double>(values.size()) - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Plane values_where(const Plane& values, auto holds) {
  Plane chosen;
  std::copy_if(values.begin(), values.end(), std::back_inserter(chosen), holds);
  return chosen;
}

/// What is nearly black or white is black or white: JPEG and scanners do not keep them. In between
/// a level stays what it is.
float settled(float level) {
  constexpr float kEnd = 0.1f;
  if (level > 0.5f) return 1.f - settled(1.f - level);
  return std::clamp(2 * (level - kEnd), 0.f, std::max(level, 0.f));
}

/// What alpha says in a mask.
enum class AlphaMeaning : std::uint8_t {
  nothing,     ///< it is opaque
  known,       ///< a picture with holes erased into it, which says nothing by its colours
  drawn,       ///< a layer that someone drew on is transparent elsewhere: opaque is to be filled
  multiplied,  ///< white was drawn as what is known
};

/// How the values of a mask become levels: as its pixels as a whole say.
struct MaskScale {
  AlphaMeaning alpha = AlphaMeaning::nothing;
  float black = 0, white = 1;  ///< its own; black as a share of white

  float level(float gray, float a) const {
    switch (alpha) {
      case AlphaMeaning::nothing:
        return gray;
      case AlphaMeaning::known:
        return a;
      case AlphaMeaning::drawn:
        return 1.f - a;
      case AlphaMeaning::multiplied:
        break;
    }
    return gray * a;
  }
  float stretched(float v) const {
    return std::clamp((v / white - black) / (1.f - black), 0.f, 1.f);
  }
};

AlphaMeaning meaning_of_alpha(const Plane& gray, const Plane& alpha) {
  Plane opaque;
  for (std::size_t i = 0; i < alpha.size(); ++i)
    if (alpha[i] >= 0.5f) opaque.push_back(gray[i]);
  constexpr float kWhite = 0.9f, kAlike = 0.1f, kFew = 0.1f;
  const float most = quantile(opaque, 0.9);
  const bool one_colour = most - quantile(opaque, 0.1) < kAlike;
  if (one_colour && most < kWhite) return AlphaMeaning::drawn;
  const auto between =
      std::ranges::count_if(opaque, [](float v) { return v > 0.1f && v < kWhite; });
  return static_cast<float>(between) > kFew * static_cast<float>(opaque.size())
             ? AlphaMeaning::known
             : AlphaMeaning::multiplied;
}

/// Calls visit(first row, part) for parts of whole rows.
template <class Visit>
void for_bands(const PictureParts& picture, Visit visit) {
  constexpr int kRows = 128;
  for (int y = 0; y < picture.height(); y += kRows)
    visit(y, picture.part({y, 0, std::min(kRows, picture.height() - y), picture.width()}));
}

/// From a mask's own black and white to 0 and 1: paper is no more white than ink is black, and
/// some programs store masks as 0 and 1 instead of 0 and 255.
MaskScale scale_of(const PictureParts& mask) {
  constexpr float kBlackest = 0.35f;          // what is lighter was never meant as black
  constexpr std::size_t kEnough = 4'000'000;  // pixels, spread over the mask
  const auto width = static_cast<std::size_t>(mask.width());
  const std::size_t count = static_cast<std::size_t>(mask.height()) * width;
  const std::size_t step = std::max<std::size_t>(1, count / kEnough);
  Plane gray, alpha;
  bool transparent = false;
  for_bands(mask, [&](int y, const Image& part) {
    const Image some = to_gray(clamped(part));
    const auto& a = part.source.alpha;
    transparent = transparent || std::ranges::any_of(a, [](float v) { return v < 0.5f; });
    const std::size_t first = static_cast<std::size_t>(y) * width;
    for (std::size_t i = (step - first % step) % step; i < some.count(); i += step) {
      gray.push_back(some.pixels()[i]);
      if (!a.empty()) alpha.push_back(a[i]);
    }
  });
  MaskScale scale;
  if (transparent) {
    scale.alpha = meaning_of_alpha(gray, alpha);
    for (std::size_t i = 0; i < gray.size(); ++i) gray[i] = scale.level(gray[i], alpha[i]);
  }
  const float most = *std::ranges::max_element(gray);
  if (!(most > 0.f)) return scale;
  scale.white = quantile(values_where(gray, [&](float v) { return v > most / 2; }), 0.9);
  scale.black =
      quantile(values_where(gray, [&](float v) { return v < scale.white / 2; }), 0.1) / scale.white;
  if (!(scale.black < kBlackest)) scale.black = 0.f;
  return scale;
}

/// 0 where the picture has that colour, "FF0000". The edge of a brush stroke is neither colour.
Plane painted(const Image& picture, std::string_view colour) {
  constexpr float kSame = 0.15f, kOther = 0.3f;  // JPEG changes colours, most at their edges
  const std::string_view digits = colour.starts_with('#') ? colour.substr(1) : colour;
  unsigned int code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 6 || error != std::errc{} || end != digits.data() + digits.size())
    fail(ErrorCode::bad_argument,
         "inpaint: `mask_colour` must be six hexadecimal digits as FF0000 for red, got '{}'",
         colour);
  if (picture.channels() != 1 && picture.channels() != 3)
    fail(ErrorCode::bad_argument,
         "inpaint: `mask_colour` needs a mask with colours, this one has {} "
         "channels",
         picture.channels());
  Plane known(picture.plane(0).size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    float far = 0;
    for (int c = 0; c < 3; ++c) {
      const float wanted = static_cast<float>(code >> (8 * (2 - c)) & 0xFF) / 255.f;
      far = std::max(far, std::abs(picture.plane(picture.channels() == 3 ? c : 0)[i] - wanted));
    }
    known[i] = std::clamp((far - kSame) / (kOther - kSame), 0.f, 1.f);
  }
  return known;
}

/// Squared distances along a row of `n` values `step` apart, from squared distances across it
/// (Felzenszwalb and Huttenlocher 2012).
void lower_envelope(std::vector<double>& f, std::size_t first, std::size_t step, int n) {
  std::vector<int> apex(1, 0);
  std::vector<double> from(1, -std::numeric_limits<double>::infinity()), row(n);
  for (int q = 0; q < n; ++q) row[q] = f[first + static_cast<std::size_t>(q) * step];
  for (int q = 1; q < n; ++q) {
    double meets = 0;
    for (;;) {
      const int p = apex.back();
      meets = (row[q] + 1.0 * q * q - row[p] - 1.0 * p * p) / (2.0 * (q - p));
      if (meets > from.back()) break;
      apex.pop_back();
      from.pop_back();
    }
    apex.push_back(q);
    from.push_back(meets);
  }
  std::size_t k = 0;
  for (int q = 0; q < n; ++q) {
    while (k + 1 < apex.size() && from[k + 1] < q) ++k;
    f[first + static_cast<std::size_t>(q) * step] =
        row[apex[k]] + 1.0 * (q - apex[k]) * (q - apex[k]);
  }
}

/// Distance of every pixel to the nearest one to be filled, in pixels.
std::vector<double> distances(const Plane& known, int h, int w) {
  constexpr double kFar = 1e12;
  std::vector<double> squared(known.size());
  for (std::size_t i = 0; i < known.size(); ++i) squared[i] = known[i] < 0.5f ? 0 : kFar;
  for (int x = 0; x < w; ++x)
    lower_envelope(squared, static_cast<std::size_t>(x), static_cast<std::size_t>(w), h);
  for (int y = 0; y < h; ++y)
    lower_envelope(squared, static_cast<std::size_t>(y) * static_cast<std::size_t>(w), 1, w);
  for (double& d : squared) d = std::sqrt(d);
  return squared;
}

/// Makes holes `pixels` larger all around.
void grow(Plane& known, int h, int w, int pixels) {
  const std::vector<double> far = distances(known, h, w);
  for (std::size_t i = 0; i < known.size(); ++i)
    if (far[i] <= pixels) known[i] = 0.f;
}

/// Fades what was filled into what was there, over so many pixels outside of the holes.
void feather(Plane& known, int h, int w, int pixels) {
  const std::vector<double> far = distances(known, h, w);
  for (std::size_t i = 0; i < known.size(); ++i)
    known[i] = std::min(known[i], static_cast<float>(far[i] / (pixels + 1)));
}

void shape_holes(Plane& known, int h, int w, const RestoreOptions& o) {
  if (std::ranges::none_of(known, [](float v) { return v < 0.5f; })) return;
  if (o.mask_grow.value_or(0) > 0) grow(known, h, w, *o.mask_grow);
  if (o.mask_feather.value_or(0) > 0) feather(known, h, w, *o.mask_feather);
}

/// From a mask, or from the alpha of the picture itself.
class KnownParts final : public PictureParts {
 public:
  KnownParts(const PictureParts& source, const RestoreOptions& o, bool is_mask)
      : source_(source),
        options_(o),
        is_mask_(is_mask),
        margin_(o.mask_grow.value_or(0) + o.mask_feather.value_or(0) + 2) {
    if (is_mask && !o.mask_colour) scale_ = scale_of(source);
    levels(source.part({0, 0, 1, 1}));  // throws for colours that are wrong
  }

  ImageFacts facts() const override { return {1, height(), width(), {}}; }
  int channels() const override { return 1; }
  int height() const override { return source_.height(); }
  int width() const override { return source_.width(); }

  Image part(const Rect& r) const override {
    // What is farther away than that is neither grown nor faded into.
    const int y = std::max(0, r.y - margin_), x = std::max(0, r.x - margin_);
    const int bottom = std::min(height(), r.y + r.height + margin_);
    const int right = std::min(width(), r.x + r.width + margin_);
    Plane known = levels(source_.part({y, x, bottom - y, right - x}));
    shape_holes(known, bottom - y, right - x, options_);
    Image wide(1, bottom - y, right - x);
    std::ranges::copy(known, wide.pixels().begin());
    return crop(wide, r.y - y, r.x - x, r.height, r.width);
  }

 private:
  Plane levels(const Image& part) const {
    Plane known(part.plane(0).size(), 1.f);
    const auto& alpha = part.source.alpha;
    if (!is_mask_) {
      std::ranges::transform(alpha, known.begin(), settled);
      return known;
    }
    if (options_.mask_colour) {
      known = painted(part, *options_.mask_colour);
    } else {
      const Image gray = to_gray(clamped(part));
      for (std::size_t i = 0; i < known.size(); ++i)
        known[i] = scale_.stretched(scale_.level(gray.pixels()[i], alpha.empty() ? 1.f : alpha[i]));
    }
    const bool invert = options_.invert_mask.value_or(false);
    for (float& v : known) v = settled(invert ? 1.f - v : v);
    return known;
  }

  const PictureParts& source_;
  const RestoreOptions options_;
  const bool is_mask_;
  const int margin_;
  MaskScale scale_;
};

bool any_unusable(const Image& part) {
  const auto& use = part.source.use;
  return use && std::ranges::any_of(*use, [](SampleUse u) { return u != SampleUse::used; });
}

void require_known(bool any_known, bool invert) {
  if (any_known) return;
  fail(ErrorCode::bad_input,
       "mask: it is {} everywhere, so no pixel is known; white is known and black is "
       "to be filled, or the other way round with `invert_mask`",
       invert ? "white" : "black");
}

bool is_known(float level) { return level >= 1.f; }

}  // namespace

std::unique_ptr<PictureParts> known_by_mask(const PictureParts& mask, const RestoreOptions& o) {
  return std::make_unique<KnownParts>(mask, o, true);
}

std::unique_ptr<PictureParts> known_by_alpha(const PictureParts& picture, const RestoreOptions& o) {
  return std::make_unique<KnownParts>(picture, o, false);
}

void check_known(const PictureParts& known, const PictureParts& picture, bool given, bool invert) {
  if (known.width() != picture.width() || known.height() != picture.height())
    fail(ErrorCode::bad_input,
         "inpaint: the mask is {}x{} px but the picture is {}x{} px; give a mask of the same size",
         known.width(), known.height(), picture.width(), picture.height());
  invert = given && invert;
  bool any_known = false, any_hole = false;
  for_bands(known, [&](int, const Image& part) {
    any_known = any_known || std::ranges::any_of(part.pixels(), is_known);
    any_hole = any_hole || !std::ranges::all_of(part.pixels(), is_known);
  });
  require_known(any_known, invert);
  if (any_hole) return;
  for_bands(picture, [&](int, const Image& part) { any_hole = any_hole || any_unusable(part); });
  if (any_hole) return;
  if (!given)
    fail(ErrorCode::bad_argument,
         "inpaint: nothing is to be filled: there is no `mask`, and the picture has neither "
         "transparent nor NaN pixels; give a `mask` of its size, white known, black to be filled");
  fail(ErrorCode::bad_input,
       "inpaint: the mask is {} everywhere, so nothing is to be filled; white is known and "
       "black is to be filled, or the other way round with `invert_mask`",
       invert ? "black" : "white");
}

Image known_pixels(const Image& mask, const RestoreOptions& o) {
  const Image known =
      KnownParts(*parts_of(mask), o, true).part({0, 0, mask.height(), mask.width()});
  require_known(std::ranges::any_of(known.pixels(), is_known), o.invert_mask.value_or(false));
  return known;
}

Image mask_of(const Image& picture, const Image* mask, const RestoreOptions& o) {
  const Rect whole{0, 0, picture.height(), picture.width()};
  const Image known = o.known ? *o.known
                      : mask  ? known_pixels(*mask, o)
                              : KnownParts(*parts_of(picture), o, false).part(whole);
  check_known(*parts_of(known), *parts_of(picture), o.known || mask, o.invert_mask.value_or(false));
  return known;
}

}  // namespace unmar
