#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "unmar/observe/observe.h"
#include "unmar/tasks/tasks.h"

namespace unmar {

/// How a fit stood after one iteration. Pictures are WebP bytes, small enough for a page.
struct ReportFrame {
  int iteration = 0;
  int part = 0;  ///< of several fits
  double loss = 0;
  std::optional<double> psnr;  ///< of the result so far
  double update_gain = 1;      ///< how many times the update is exaggerated
  std::string output = {};     ///< f(z)
  std::string misfit = {};     ///< |A f(z) - y|, kMisfitGain times
  std::string update = {};     ///< what changed in f(z) since the iteration before; may be empty
  std::string result = {};     ///< as it would be handed out; empty if that is f(z)
  void serialize(Archive& archive);
};

/// Records for the report how the picture formed: some 30 iterations, close together at first, when
/// most happens, and five more of each further fit. Pictures are made on a thread of its own, so
/// that the fit does not wait.
class FrameRecorder {
 public:
  static constexpr double kMisfitGain = 4;

  /// Which iterations of a fit of at most so many are shown; ascending, first and last among them.
  static std::vector<int> chosen(int iterations);

  explicit FrameRecorder(int iterations);
  ~FrameRecorder();
  FrameRecorder(const FrameRecorder&) = delete;
  FrameRecorder& operator=(const FrameRecorder&) = delete;

  void watch(const FitScene& scene);
  void observe(const FitProgress& progress);
  /// Waits for what is being made.
  void serialize(Archive& archive);

  /// Waits for what is being made. throws what making it threw.
  const std::vector<ReportFrame>& frames() const;
  const std::string& network_input() const { return network_input_; }  ///< z
  const std::string& before() const { return before_; }                ///< what came in

 private:
  struct Work;
  bool shows(int iteration) const;
  ReportFrame frame_of(const Work& work);
  void make_frames();
  void wait() const;

  std::vector<int> chosen_;
  std::optional<CompiledOperator> damage_;
  Tensor observation_;
  std::string network_input_, before_;
  int part_ = 0, first_ = 0;  ///< of several fits: the one that goes on, and its first iteration
  int parts_ = 1;
  Tensor previous_;  ///< f(z) one iteration before one that is shown

  // Shared with the thread.
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool busy_ = false, ending_ = false;
  std::exception_ptr failure_;
  std::vector<ReportFrame> frames_;
  std::thread thread_;
};

/// WebP of at most about so many bytes, by its quality and, at last, its size. exact: small
/// pictures, of which each pixel is seen, without loss.
std::string webp_within(const Image& picture, int max_side, std::size_t max_bytes,
                        bool exact = false);

}  // namespace unmar
