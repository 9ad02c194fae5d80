#pragma once

#include <unmar/base/process.h>
#include <unmar/fit/fit.h>
#include <unmar/runs/run.h>

#include <string>
#include <vector>

namespace unmar::cli {

/// Which of several it is, such as the pages of a file.
struct Place {
  int number = 1, all = 1;
  Clock::time_point start = Clock::now();  ///< of the first
};

/// Shows how a fit goes on stderr: one line that is re-drawn on a terminal, a line now and then
/// elsewhere.
class Progress {
 public:
  /// may_end_sooner: a stopper is on, so the time left is an upper bound.
  Progress(std::string label, bool may_end_sooner, bool quiet, const Place& page = {});
  void update(const FitProgress& progress);
  void update_tiles(const TileProgress& progress);
  /// Of something that has a loss but no picture. more: what else there is to say.
  void update_loss(int iteration, int iterations, double seconds, double loss,
                   const std::vector<std::string>& more = {});
  /// Of something without a loss: `done` of `all` after so many seconds.
  void update_count(int done, int all, double seconds);
  /// Of a part of the work, `share` of which is done after so many seconds. Says nothing elsewhere
  /// than on a terminal while it is short.
  void update_share(const std::string& part, double share, double seconds);
  void finish();  ///< clears the line, so that other text can follow

 private:
  void draw(const std::vector<std::string>& parts);
  bool due(int done, int all);

  std::string label_;
  bool may_end_sooner_, quiet_, terminal_;
  Place page_;
  bool drawn_ = false;
  Clock::time_point last_{};
  int last_tenth_ = 0;
};

std::string duration(double seconds);  ///< "1:05", "2:30:00"
/// What a progress line says, most important first. Of several pages: how far all of them are.
std::vector<std::string> progress_parts(const std::string& label, const FitProgress& progress,
                                        bool may_end_sooner, const Place& page = {});
/// As many of the parts as fit into `width` columns; the first one always, cut if need be.
std::string fit_line(const std::vector<std::string>& parts, std::size_t width);

}  // namespace unmar::cli
