#include "moments.h"

#include <algorithm>
#include <cmath>

namespace unmar::cli {
namespace {

// So many bytes that a page of 31 moments stays below 5 MB, a third of which base64 adds.
constexpr int kSide = 300, kDetailSide = 240, kBeforeSide = 1100;
constexpr std::size_t kPictureBytes = 22'000, kDetailBytes = 16'000, kBeforeBytes = 450'000;
constexpr std::size_t kExactPixels = 100'000;

Image picture_of(const Tensor& tensor) {
  Image image = clamped(to_image(tensor));
  return image;
}

/// The first three channels of the network's input, or the first one, from black to white.
Image noise_picture(const Tensor& z) {
  const Shape& s = z.shape();
  const int channels = s.c >= 3 ? 3 : 1;
  Image image(channels, s.h, s.w);
  const auto size = image.count();
  const auto [low, high] = std::minmax_element(z.data(), z.data() + size);
  const float range = *high > *low ? *high - *low : 1.f;
  std::transform(z.data(), z.data() + size, image.pixels().begin(),
                 [&](float v) { return (v - *low) / range; });
  return image;
}

/// |a - b| of all channels together, brighter for more.
Image distance(const Tensor& a, const Tensor& b, double gain) {
  const Shape& s = a.shape();
  Image image(1, s.h, s.w);
  const std::size_t size = image.count();
  for (std::size_t i = 0; i < size; ++i) {
    float sum = 0;
    for (std::size_t c = 0; c < static_cast<std::size_t>(s.c); ++c)
      sum += std::abs(a.data()[c * size + i] - b.data()[c * size + i]);
    image.pixels()[i] = std::min(1.f, static_cast<float>(gain) * sum / static_cast<float>(s.c));
  }
  return image;
}

/// So that the root mean square of the change is well seen.
double gain_for(const Tensor& a, const Tensor& b) {
  constexpr double kSeen = 0.12;
  double sum = 0;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double d = static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]);
    sum += d * d;
  }
  const double rms = std::sqrt(sum / static_cast<double>(a.count()));
  if (!(rms > 0) || !std::isfinite(rms)) return 1;
  return std::clamp(std::round(kSeen / rms), 1.0, 1000.0);
}

/// Gray where nothing changed.
Image change(const Tensor& now, const Tensor& before, double gain) {
  Tensor shown = now;
  for (std::size_t i = 0; i < shown.count(); ++i)
    shown.data()[i] = 0.5f + static_cast<float>(gain) * (now.data()[i] - before.data()[i]);
  return picture_of(shown);
}

}  // namespace

std::string webp_within(const Image& picture, int max_side, std::size_t max_bytes, bool exact) {
  WriteOptions options;
  options.format = SampleFormat::u8;
  for (int side = max_side;; side = side * 3 / 4) {
    const Image small = shrunk_to(picture, side);
    for (const int quality : {100, 88, 60}) {
      if (quality == 100 && !(exact && small.plane(0).size() < kExactPixels)) continue;
      options.quality = quality;
      std::string bytes = encode_image(small, ".webp", options);
      if (bytes.size() <= max_bytes || side <= 64) return bytes;
    }
  }
}

void Moment::serialize(Archive& archive) {
  archive(iteration, loss, psnr, update_gain, output, misfit, update, result);
}

std::vector<int> Moments::chosen(int iterations) {
  constexpr int kEarly = 18, kEven = 15;
  std::vector<int> list;
  const double last = iterations - 1;
  for (int i = 0; i < kEarly; ++i)  // equal ratios
    list.push_back(static_cast<int>(std::lround(std::pow(last + 1, i / (kEarly - 1.0)) - 1)));
  for (int i = 0; i < kEven; ++i)  // equal distances
    list.push_back(static_cast<int>(std::lround(last * i / (kEven - 1.0))));
  std::ranges::sort(list);
  const auto repeated = std::ranges::unique(list);
  list.erase(repeated.begin(), repeated.end());
  return list;
}

bool Moments::shows(int iteration) const { return std::ranges::binary_search(chosen_, iteration); }

void Moments::watch(const FitScene& scene) {
  scene_.emplace(scene);
  noise_ = webp_within(noise_picture(scene.z), kDetailSide, kPictureBytes);
  before_ = webp_within(scene.input, kBeforeSide, kBeforeBytes, true);
}

Moment Moments::moment(const FitProgress& p) const {
  Moment moment;
  moment.iteration = p.row.iteration;
  moment.loss = static_cast<double>(p.row.loss);
  moment.psnr = p.row.psnr_average ? p.row.psnr_average : p.row.psnr;
  moment.output = webp_within(picture_of(p.restored), kSide, kPictureBytes);
  moment.misfit = webp_within(distance(apply(scene_->A, p.restored), scene_->y, kMisfitGain),
                              kDetailSide, kDetailBytes);
  if (!previous_.empty()) {
    moment.update_gain = gain_for(p.restored, previous_);
    moment.update =
        webp_within(change(p.restored, previous_, moment.update_gain), kDetailSide, kDetailBytes);
  }
  if (!p.average.empty()) moment.result = webp_within(picture_of(p.average), kSide, kPictureBytes);
  return moment;
}

void Moments::observe(const FitProgress& progress) {
  const int iteration = progress.row.iteration;
  if (shows(iteration)) moments_.push_back(moment(progress));
  previous_ = shows(iteration + 1) ? progress.restored : Tensor();
}

}  // namespace unmar::cli
