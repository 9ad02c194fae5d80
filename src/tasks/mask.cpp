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

/// From a mask's own black and white to 0 and 1: paper is no more white than ink is black, and
/// some programs store masks as 0 and 1 instead of 0 and 255.
void stretch(Plane& mask) {
  constexpr float kBlackest = 0.35f;  // what is lighter than that was never meant as black
  const float most = *std::ranges::max_element(mask);
  if (!(most > 0.f)) return;
  const float white = quantile(values_where(mask, [&](float v) { return v > most / 2; }), 0.9);
  float black = quantile(values_where(mask, [&](float v) { return v < white / 2; }), 0.1) / white;
  if (!(black < kBlackest)) black = 0.f;
  for (float& v : mask) v = std::clamp((v / white - black) / (1.f - black), 0.f, 1.f);
}

/// What is nearly black or white is black or white: JPEG and scanners do not keep them. In between
/// a level stays what it is.
float settled(float level) {
  constexpr float kEnd = 0.1f;
  if (level > 0.5f) return 1.f - settled(1.f - level);
  return std::clamp(2 * (level - kEnd), 0.f, std::max(level, 0.f));
}

/// Gray and alpha of a mask as one plane. A layer that someone drew on is transparent elsewhere; a
/// picture with holes erased into it says nothing by its colours.
Plane levels_of(const Image& mask) {
  const Image gray = to_gray(mask);
  Plane levels(gray.pixels().begin(), gray.pixels().end());
  const auto& alpha = mask.source.alpha;
  if (std::ranges::none_of(alpha, [](float a) { return a < 0.5f; })) return levels;
  Plane opaque;
  for (std::size_t i = 0; i < alpha.size(); ++i)
    if (alpha[i] >= 0.5f) opaque.push_back(levels[i]);
  constexpr float kWhite = 0.9f, kAlike = 0.1f, kFew = 0.1f;
  const float most = quantile(opaque, 0.9);
  const bool one_colour = most - quantile(opaque, 0.1) < kAlike;
  // White was drawn as what is known.
  const bool drawn = one_colour && most < kWhite;
  const auto between =
      std::ranges::count_if(opaque, [](float v) { return v > 0.1f && v < kWhite; });
  const bool picture =
      !drawn && static_cast<float>(between) > kFew * static_cast<float>(opaque.size());
  for (std::size_t i = 0; i < levels.size(); ++i)
    levels[i] = picture ? alpha[i] : drawn ? 1.f - alpha[i] : levels[i] * alpha[i];
  return levels;
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

void require_known(const Image& known, bool invert) {
  if (std::ranges::any_of(known.pixels(), [](float v) { return v >= 1.f; })) return;
  fail(ErrorCode::bad_input,
       "mask: it is {} everywhere, so no pixel is known; white is known and black is "
       "to be filled, or the other way round with `invert_mask`",
       invert ? "white" : "black");
}

/// Calls visit(first row, part) for parts of whole rows.
template <class Visit>
void for_bands(const PictureParts& picture, Visit visit) {
  constexpr int kRows = 128;
  for (int y = 0; y < picture.height(); y += kRows)
    visit(y, picture.part({y, 0, std::min(kRows, picture.height() - y), picture.width()}));
}

bool any_unusable(const PictureParts& picture) {
  bool any = false;
  for_bands(picture, [&](int, const Image& part) {
    const auto& use = part.source.use;
    any =
        any || (use && std::ranges::any_of(*use, [](SampleUse u) { return u != SampleUse::used; }));
  });
  return any;
}

void require_holes(const Image& known, const PictureParts& picture, const Image* mask,
                   bool invert) {
  if (std::ranges::any_of(known.pixels(), [](float v) { return v < 1.f; })) return;
  if (any_unusable(picture)) return;
  if (!mask)
    fail(ErrorCode::bad_argument,
         "inpaint: nothing is to be filled: there is no `mask`, and the picture has neither "
         "transparent nor NaN pixels; give a `mask` of its size, white known, black to be filled");
  fail(ErrorCode::bad_input,
       "inpaint: the mask is {} everywhere, so nothing is to be filled; white is known and "
       "black is to be filled, or the other way round with `invert_mask`",
       invert ? "black" : "white");
}

Image from_alpha(const PictureParts& picture) {
  Image known(1, picture.height(), picture.width(), 1.f);
  for_bands(picture, [&](int y, const Image& part) {
    std::ranges::transform(
        part.source.alpha,
        known.pixels().begin() + static_cast<std::ptrdiff_t>(y) * picture.width(), settled);
  });
  return known;
}

void shape_holes(Image& known, const RestoreOptions& o) {
  Plane plane(known.pixels().begin(), known.pixels().end());
  const bool holes = std::ranges::any_of(plane, [](float v) { return v < 0.5f; });
  if (!holes) return;
  if (o.mask_grow.value_or(0) > 0) grow(plane, known.height(), known.width(), *o.mask_grow);
  if (o.mask_feather.value_or(0) > 0)
    feather(plane, known.height(), known.width(), *o.mask_feather);
  std::ranges::copy(plane, known.pixels().begin());
}

}  // namespace

Image known_pixels(const Image& mask, const RestoreOptions& o) {
  const bool invert = o.invert_mask.value_or(false);
  Plane levels;
  if (o.mask_colour) {
    levels = painted(mask, *o.mask_colour);
  } else {
    levels = levels_of(clamped(mask));
    stretch(levels);
  }
  Image known(1, mask.height(), mask.width());
  std::ranges::transform(levels, known.pixels().begin(),
                         [&](float v) { return settled(invert ? 1.f - v : v); });
  require_known(known, invert);
  shape_holes(known, o);
  return known;
}

Image mask_of(const Image& picture, const Image* mask, const RestoreOptions& o) {
  return mask_of(*parts_of(picture), mask, o);
}

Image mask_of(const PictureParts& picture, const Image* mask, const RestoreOptions& o) {
  const Image* given = o.known ? o.known.get() : mask;
  if (given && (given->width() != picture.width() || given->height() != picture.height()))
    fail(ErrorCode::bad_input,
         "inpaint: the mask is {}x{} px but the picture is {}x{} px; give a mask of the same size",
         given->width(), given->height(), picture.width(), picture.height());
  const bool invert = given && o.invert_mask.value_or(false);
  Image known = o.known ? *o.known : mask ? known_pixels(*mask, o) : from_alpha(picture);
  if (!given) shape_holes(known, o);
  require_known(known, invert);
  require_holes(known, picture, given, invert);
  return known;
}

}  // namespace unmar
