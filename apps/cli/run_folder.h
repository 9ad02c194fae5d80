#pragma once

#include <unmar/tensor.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace unmar::cli {

/// Where a run keeps what it must not lose:
///   run.json         what was asked for: RunRecord
///   checkpoint.bin   the fit so far, to go on from; gone once the run is finished
///   pictures/        the result as it was every so many iterations, float TIFF
///   history.csv, manifest.json   as --history and --manifest, at its end
class RunFolder {
 public:
  explicit RunFolder(const std::filesystem::path& path) : path_(std::filesystem::absolute(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path record() const { return path_ / "run.json"; }
  std::filesystem::path checkpoint() const { return path_ / "checkpoint.bin"; }
  std::filesystem::path history() const { return path_ / "history.csv"; }
  std::filesystem::path manifest() const { return path_ / "manifest.json"; }

  /// throws Error if a run cannot be begun here: there is one, or the folder cannot be written to.
  /// Makes nothing.
  void require_free() const;
  /// Makes it if need be. throws Error{io}.
  void make() const;
  /// throws Error{bad_input} if there is no run here.
  void require_run(const std::string& option) const;

  /// Replaces the checkpoint at once or not at all. throws Error{io}.
  void save(std::string_view payload) const;
  /// throws Error{bad_input} if it is cut short, changed or no checkpoint.
  std::string load() const;

  /// The picture before it is finished, [1,c,h,w] with c 1 or 3, to the last bit. throws Error{io}.
  void keep(int iteration, const Tensor& picture) const;
  std::vector<int> kept() const;  ///< iterations, ascending
  /// throws Error{bad_input} if it is damaged.
  Tensor picture(int iteration) const;

  /// Removes what a process that was killed left half-written.
  void clean() const;

 private:
  std::filesystem::path pictures() const { return path_ / "pictures"; }
  std::filesystem::path picture_file(int iteration) const;

  std::filesystem::path path_;
};

/// While it lives, no other process can work in the folder.
class RunLock {
 public:
  /// throws Error{io} if another process has it. `option` opens the message.
  explicit RunLock(const std::filesystem::path& folder, const std::string& option = "--run");
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace unmar::cli
