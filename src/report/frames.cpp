#include "report/frames.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

namespace unmar {
namespace {

// So many bytes that a page of 31 frames stays below 5 MB, a third of which base64 adds.
constexpr int kSide = 300, kDetailSide = 240, kBeforeSide = 1100;
constexpr std::size_t kPictureBytes = 22'000, kDetailBytes = 16'000, kBeforeBytes = 450'000;
constexpr std::size_t kExactPixels = 100'000;

Image picture_of(const Tensor& tensor) { return clamped(to_image(tensor)); }

/// A vector in the smallest square that holds it.
Tensor as_square(const Tensor& vector) {
  const auto side = static_cast<int>(std::ceil(std::sqrt(vector.shape().c)));
  Tensor square({1, 1, side, side}, *std::ranges::min_element(vector.values()));
  std::ranges::copy(vector.values(), square.values().begin());
  return square;
}

/// The first three channels of the network's input, or the first one, from black to white.
Image noise_picture(const Tensor& z) {
  const Shape& s = z.shape();
  if (s.c > 1 && s.h == 1 && s.w == 1) return noise_picture(as_square(z));
  const int channels = s.c >= 3 ? 3 : 1;
  Image image(channels, s.h, s.w);
  const auto size = image.count();
  const auto ends = std::minmax_element(z.data(), z.data() + size);
  const float low = *ends.first, high = *ends.second;
  const float range = high > low ? high - low : 1.f;
  std::transform(z.data(), z.data() + size, image.pixels().begin(),
                 [&](float v) { return (v - low) / range; });
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

struct FrameRecorder::Work {
  ReportFrame frame;
  Tensor output, previous, average;
};

void ReportFrame::serialize(Archive& archive) {
  archive(iteration, part, loss, psnr, update_gain, output, misfit, update, result);
}

std::vector<int> FrameRecorder::chosen(int iterations) {
  constexpr int kEarly = 18, kEven = 15;
  std::vector<int> list;
  const double last = iterations - 1;
  for (int i = 0; i < kEarly; ++i)  // equal ratios
    list.push_back(static_cast<int>(std::lround(std::pow(last + 1, i / (kEarly - 1.0)) - 1)));
  for (int i = 0; i < kEven; ++i)  // equal distances
    list.push_back(static_cast<int>(std::lround(last * i / (kEven - 1.0))));
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

FrameRecorder::FrameRecorder(int iterations)
    : chosen_(chosen(iterations)), thread_([this] { make_frames(); }) {}

FrameRecorder::~FrameRecorder() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool FrameRecorder::shows(int iteration) const {
  constexpr int kOfPart[] = {5, 10, 20, 40, 80}, kMostParts = 8;  // of more the page grows long
  return std::ranges::binary_search(chosen_, iteration) ||
         (part_ > 0 && parts_ <= kMostParts &&
          std::ranges::binary_search(kOfPart, iteration - first_));
}

void FrameRecorder::watch(const FitScene& scene) {
  damage_.emplace(scene.A,
                  Shape{1, scene.input.channels(), scene.input.height(), scene.input.width()},
                  "auto", 1);
  observation_ = scene.y;
  network_input_ = webp_within(noise_picture(scene.z), kDetailSide, kPictureBytes);
  before_ = webp_within(scene.input, kBeforeSide, kBeforeBytes, true);
}

void FrameRecorder::observe(const FitProgress& p) {
  const int iteration = p.row.iteration;
  if (p.part != part_) part_ = p.part, first_ = iteration;
  parts_ = p.parts;
  if (shows(iteration)) {
    Work work{.frame = {.iteration = iteration,
                        .part = p.part,
                        .loss = static_cast<double>(p.row.loss),
                        .psnr = p.row.psnr_average ? p.row.psnr_average : p.row.psnr},
              .output = p.restored,
              .previous = std::move(previous_),
              .average = p.average};
    {
      std::unique_lock lock(mutex_);
      // A fit that is faster than its pictures waits, so that memory does not grow.
      constexpr std::size_t kMostWaiting = 3;
      changed_.wait(lock, [&] { return waiting_.size() < kMostWaiting || failure_; });
      waiting_.push_back(std::move(work));
    }
    changed_.notify_all();
  }
  previous_ = shows(iteration + 1) ? p.restored : Tensor();
}

ReportFrame FrameRecorder::frame_of(const Work& work) {
  ReportFrame frame = work.frame;
  frame.output = webp_within(picture_of(work.output), kSide, kPictureBytes);
  frame.misfit = webp_within(distance(damage_->apply(work.output), observation_, kMisfitGain),
                             kDetailSide, kDetailBytes);
  if (!work.previous.empty()) {
    frame.update_gain = gain_for(work.output, work.previous);
    frame.update = webp_within(change(work.output, work.previous, frame.update_gain), kDetailSide,
                               kDetailBytes);
  }
  if (!work.average.empty())
    frame.result = webp_within(picture_of(work.average), kSide, kPictureBytes);
  return frame;
}

void FrameRecorder::make_frames() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const Work work = std::move(waiting_.front());
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    std::optional<ReportFrame> frame;
    std::exception_ptr failure;
    try {
      frame = frame_of(work);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (frame) frames_.push_back(std::move(*frame));
    if (failure) failure_ = failure;
    changed_.notify_all();
  }
}

void FrameRecorder::wait() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !busy_; });
  if (failure_) std::rethrow_exception(failure_);
}

void FrameRecorder::serialize(Archive& archive) {
  wait();
  archive(frames_, previous_, part_, first_);
}

const std::vector<ReportFrame>& FrameRecorder::frames() const {
  wait();
  return frames_;
}

}  // namespace unmar
