#pragma once

#include <unmar/tasks.h>

#include <optional>
#include <string>
#include <vector>

namespace unmar::cli {

/// Pictures are WebP bytes, small enough for a page.
struct Moment {
  int iteration = 0;
  double loss = 0;
  std::optional<double> psnr;  ///< of the result so far
  double update_gain = 1;      ///< how many times the update is exaggerated
  std::string output;          ///< f(z)
  std::string misfit;          ///< |A f(z) - y|, kMisfitGain times
  std::string update;          ///< what changed in f(z) since the iteration before; may be empty
  std::string result;          ///< as it would be handed out; empty if that is f(z)
  void serialize(Archive& archive);
};

/// Remembers for the report how the picture formed: some 30 moments, close together at first, when
/// most happens.
class Moments {
 public:
  static constexpr double kMisfitGain = 4;

  /// Which iterations of a fit of at most so many are shown; ascending, first and last among them.
  static std::vector<int> chosen(int iterations);

  explicit Moments(int iterations) : chosen_(chosen(iterations)) {}
  /// Valid until restore() returns.
  void watch(const FitScene& scene);
  void observe(const FitProgress& progress);
  void serialize(Archive& archive) { archive(moments_, previous_); }

  const std::vector<Moment>& list() const { return moments_; }
  const std::string& noise() const { return noise_; }    ///< z
  const std::string& before() const { return before_; }  ///< what came in

 private:
  bool shows(int iteration) const;
  Moment moment(const FitProgress& progress) const;

  std::vector<int> chosen_;
  std::optional<FitScene> scene_;
  std::string noise_, before_;
  std::vector<Moment> moments_;
  Tensor previous_;  ///< f(z) one iteration before a moment
};

/// WebP of at most about so many bytes, by its quality and, at last, its size. exact: small
/// pictures, of which each pixel is seen, without loss.
std::string webp_within(const Image& picture, int max_side, std::size_t max_bytes,
                        bool exact = false);

}  // namespace unmar::cli
