#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "unmar/image/image.h"
#include "unmar/runs/request.h"
#include "unmar/runs/store.h"
#include "unmar/runs/tile_store.h"
#include "unmar/tasks/tasks.h"

/// The life of a run: from its files to its files, kept on the way, watched by whoever wants to.
namespace unmar {

/// Of a picture that is restored in tiles.
/// What a tile costs on this machine, measured by a few iterations of one.
struct TileEstimate {
  int tiles = 1;            ///< of the picture
  double core_seconds = 0;  ///< of a tile
  std::size_t memory = 0;   ///< bytes of a tile
  std::size_t picture = 0;  ///< bytes of the picture, held once by each process
};
struct TilingFacts {
  int size = 0;  ///< side in px of the result
  int count = 0;
  std::vector<TileFacts> tiles;  ///< those that are done
  bool failed = false;           ///< some could not be restored
  std::string why = {};          ///< of the first that failed
  /// Of a new run of many tiles, before it begins.
  std::optional<TileEstimate> estimate = {};
};

/// A run that begins or goes on.
struct RunStart {
  const FitRequest& request;
  const ImageFacts& input;
  const Restored& start;  ///< options, engine, network and noise are filled in
  bool resumed = false;
  bool has_checkpoint = false;  ///< of a resumed run: there is one to go on from
  std::optional<TilingFacts> tiles = {};
};

struct RunResult {
  /// In tiles that were written to a file, its image is empty.
  Restored restored;
  ImageFacts input, output;
  double seconds = 0;   ///< with reading and writing, earlier parts of the run included
  std::string started;  ///< UTC, ISO 8601
  /// In tiles: `restored.fit` has the sums of their iterations and seconds.
  std::optional<TilingFacts> tiling = {};
};

struct TileProgress {
  int done, all;
  double share;         ///< of all tiles' work that is done
  double seconds;       ///< since the work on tiles began
  double seconds_left;  ///< about; 0: not known yet
};

/// Is told how a run goes, on the thread that runs it. What it throws ends the run.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// Of several pages of a file the next one begins, the `number`th of `all`: see pages.h.
  virtual void page(int /*number*/, int /*all*/) {}
  virtual void started(const RunStart&) {}
  /// The share of a filter's work that is done, before and after the fit.
  virtual void filtered(double /*share*/) {}
  /// Method auto: the filter's result is there, and the fit goes on. written: to
  /// RunOutputs::result.
  virtual void first_result(const Candidate&, bool /*written*/) {}
  virtual void progressed(const FitProgress&) {}
  /// Of a picture in tiles, in place of progressed(). On any of the run's threads, one at a time.
  virtual void tiled(const TileProgress&) {}
  /// Something failed that does not end the run, such as a checkpoint on a full disk. Of a picture
  /// in tiles on any of the run's threads, but not beside tiled().
  virtual void warned(const std::string&) {}
  virtual void writing() {}  ///< the work is done, the files are written now
  virtual void finished(const FitRequest&, const RunResult&) {}
};

/// Reads, restores and writes. Everything that can be wrong with options and files is found before
/// the work begins. `store`: where the run is kept, so that it can be resumed; null: nowhere.
/// A requested stop is no failure: the best so far is written.
/// throws what reading, restore() and writing throw.
RunResult run(const FitRequest& request, RunStore* store, RunObserver& observer,
              std::stop_token stop = {});

/// What a run that is resumed takes instead of what it was begun with.
struct ResumeChanges {
  std::optional<int> threads = {};
  std::optional<std::string> engine = {};  ///< another one rounds differently
  void apply(RestoreOptions& options) const {
    if (threads) options.threads = threads;
    if (engine) options.engine = engine;
  }
};
/// Goes on with a run that was interrupted: the result is the same, bit for bit, on the same
/// engine. throws Error{bad_argument} if the run is finished.
RunResult resume(RunStore& store, const ResumeChanges& changes, RunObserver& observer,
                 std::stop_token stop = {});

/// The result of a kept run as it would be, had the fit ended at `iteration`, one of store.kept().
/// strength: instead of that of the run. observer: is warned of files that were moved; null: nobody
/// is. throws Error{bad_argument} if strength is not 0 to 1.
Image pick(const RunStore& store, int iteration, std::optional<double> strength = {},
           RunObserver* observer = nullptr);

// What there is to tell of a run that went well.
std::string result_json(const FitRequest& request, const RunResult& result);  ///< one line
/// All that is needed to repeat and to judge the run.
std::string manifest_json(const FitRequest& request, const RunResult& result);
std::string summary(const FitRequest& request, const RunResult& result);  ///< for people

}  // namespace unmar
