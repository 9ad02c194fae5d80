#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/fit/fit.h"
#include "unmar/runs/request.h"
#include "unmar/tensor/archive.h"

/// Where runs keep what must not be lost.
namespace unmar {

/// While it lives, no other process can work in the folder.
class FolderLock {
 public:
  /// throws Error{io}, opened by `where`, if another process has it.
  FolderLock(const std::filesystem::path& folder, std::string_view where);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_ = -1;
};

/// Removes what a process that was killed left half-written in a folder that is locked.
void remove_remains(const std::filesystem::path& folder);

/// A checkpoint file: head, payload, SHA-256 of both. It appears complete or not at all.
/// `write` fills the payload, which goes to the disk as it comes: nothing is held twice.
/// throws Error{io}.
void write_checkpoint(const std::filesystem::path& path, std::string_view where,
                      const std::function<void(Archive&)>& write);

/// A checkpoint that is read. The file is mapped, not copied.
class Checkpoint {
 public:
  /// throws Error{io} if it cannot be read, Error{bad_input} if it is cut short, changed or no
  /// checkpoint, Error{unsupported} if it is of another format or kind of machine.
  Checkpoint(const std::filesystem::path& path, std::string_view where);
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  std::string_view payload() const { return payload_; }  ///< valid while it lives

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::string_view payload_;
};

/// What a run was begun with: run.json.
struct RunRecord {
  FitRequest request;       ///< paths absolute
  RestoreOptions resolved;  ///< all options, presets included
  EngineInfo engine;
  std::string started;  ///< UTC, ISO 8601
  std::string version;  ///< of Unmar
  /// What stood elsewhere when the run began, in words: files that were moved with the run's
  /// folder are found by name and SHA-256. Not kept.
  std::vector<std::string> moved = {};
};

/// The folder of one run:
///   run.json         RunRecord, with the SHA-256 of every file that the run reads
///   history.csv      a row per iteration, appended as the run goes
///   checkpoint.bin   the fit so far, to go on from; gone once the run is finished
///   pictures/        the result as it was every so many iterations, float TIFF
///   tiles/           in place of these three: a TileStore, of a picture that is restored in tiles
///   report.json, manifest.json   at the end: what a report page shows, what repeats the run
/// All functions throw Error, opened by `where`: "--run", "resume".
class RunStore {
 public:
  RunStore(const std::filesystem::path& folder, std::string where);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path record() const { return folder_ / "run.json"; }
  std::filesystem::path checkpoint() const { return folder_ / "checkpoint.bin"; }
  std::filesystem::path history() const { return folder_ / "history.csv"; }
  std::filesystem::path report() const { return folder_ / "report.json"; }
  std::filesystem::path manifest() const { return folder_ / "manifest.json"; }
  std::filesystem::path tiles() const { return folder_ / "tiles"; }

  /// throws if a run cannot be begun here: there is one, or the folder cannot be written to. Makes
  /// nothing.
  void require_free() const;
  /// throws Error{bad_input} if there is no run here.
  void require_run() const;

  /// Whether the run came to its end, and was not stopped before.
  bool is_finished() const;

  /// Makes the folder, locks it and writes the record.
  void begin(const RunRecord& record);
  /// Locks the folder, removes what a process that was killed left half-written, and reads the
  /// record. throws Error{bad_input} if it is damaged, or a file is not the one that the run began
  /// with.
  RunRecord take_up();
  /// Only reads the record.
  RunRecord read_record() const;
  /// The bytes of run.json, which a checkpoint belongs to. After begin() or take_up().
  const std::string& record_text() const { return record_text_; }

  /// The picture before it is finished, [1,c,h,w] with c 1 or 3, to the last bit.
  void keep(int iteration, const Tensor& picture) const;
  std::vector<int> kept() const;  ///< iterations, ascending
  Tensor picture(int iteration) const;

  /// Appends to history.csv; rows that a checkpoint was not reached for are dropped first.
  void append(const HistoryRow& row, const std::vector<std::string>& watchers);
  void flush();  ///< what was appended is on the disk

 private:
  std::filesystem::path pictures() const { return folder_ / "pictures"; }
  std::filesystem::path picture_file(int iteration) const;

  std::filesystem::path folder_;
  std::string where_;
  std::string record_text_;
  std::optional<FolderLock> lock_;
  std::string rows_;  ///< that are not in the file yet
  bool appending_ = false;
};

/// The heading and a row of history.csv.
std::string history_heading(const std::vector<std::string>& watchers);
std::string history_line(const HistoryRow& row);
/// All of it.
std::string history_csv(const FitResult& fit);

}  // namespace unmar
