#pragma once

#include <unmar/base/process.h>
#include <unmar/runs/refine_run.h>

#include <optional>
#include <string>

#include "interrupt.h"
#include "progress.h"

namespace unmar::cli {

/// Shows a refinement on the terminal and stops it by Ctrl-C.
class RefineConsole : public RefineObserver {
 public:
  struct Options {
    bool quiet = false;
    bool json = false;   ///< facts as one line on stdout
    std::string folder;  ///< that it is kept in, as the user named it; may be empty
  };
  explicit RefineConsole(Options options)
      : options_(std::move(options)), chain_("chain", false, options_.quiet) {}

  std::stop_token stop() const { return interrupt_.token(); }

  void started(const RefineRequest& request, bool has_checkpoint) override;
  void progressed(const FitProgress& progress) override { fit_->update(progress); }
  void chain_started(const Refined& refined) override;
  void stepped(const SampleProgress& progress) override;
  void tiles_started(const RefineRequest& request, const RunStart& start) override;
  void tiled(const TileProgress& progress) override { fit_->update_tiles(progress); }
  void warned(const std::string& text) override;
  void writing() override;
  void finished(const RefineRequest& request, const RefineRunResult& result) override;

 private:
  const Options options_;
  Interrupt interrupt_;
  std::optional<Progress> fit_;
  Progress chain_;
  Clock::time_point chain_started_;
};

}  // namespace unmar::cli
