#pragma once

#include <unmar/runs/run.h>

#include <optional>
#include <string>

#include <unmar/base/process.h>
#include "console.h"
#include "interrupt.h"
#include "progress.h"

namespace unmar::cli {

/// "about 1:30:00 on 2 cores and 0.6 GiB". threads: 0: all.
std::string in_words(const TileEstimate& estimate, int threads);

/// Tiles, time and memory, on stdout.
template <class Request>
void print_estimate(const Request& request, std::optional<int> threads) {
  const TileEstimate estimate = estimate_tile(request);
  print("{}: {}, {}\n", request.in.picture.string(),
        estimate.tiles > 1 ? fmt::format("{} tiles", estimate.tiles) : "one piece",
        in_words(estimate, threads.value_or(0)));
}

/// Shows a run on the terminal and stops it by Ctrl-C.
class FitConsole : public RunObserver {
 public:
  struct Options {
    bool quiet = false;
    bool json = false;     ///< facts as one line on stdout
    std::string folder;    ///< of the store, as the user named it; empty: there is none
    bool several = false;  ///< files one after the other, announced by file()
  };
  explicit FitConsole(Options options) : options_(std::move(options)) {}

  std::stop_token stop() const { return interrupt_.token(); }

  /// The next of several files begins.
  void file(int number, int all);

  void page(int number, int all) override;
  void started(const RunStart& start) override;
  void filtered(double share) override;
  void first_result(const Candidate& first, bool written) override;
  void progressed(const FitProgress& progress) override;
  void tiled(const TileProgress& progress) override;
  void warned(const std::string& text) override;
  void writing() override;
  void finished(const FitRequest& request, const RunResult& result) override;

 private:
  const Options options_;
  Interrupt interrupt_;
  std::optional<Progress> progress_;
  Place file_, page_;
  std::string output_;
  bool large_ = false;
  Clock::time_point filter_start_ = Clock::now();
  double last_share_ = 1;  ///< of the filter's work
};

}  // namespace unmar::cli
