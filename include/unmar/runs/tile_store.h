#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "unmar/tasks/tiles.h"

/// Where the tiles of one picture are kept while it is restored.
namespace unmar {

/// What became of a tile.
struct TileFacts {
  int tile = 0;
  bool had_work = true;  ///< else it is as it came
  int iterations = 0, best_iteration = 0;
  bool stopped = false;  ///< by its stop rule
  double seconds = 0;
};

struct TileResult {
  TileFacts facts;
  Tensor picture;            ///< [1,c,h,w], finished
  std::vector<float> alpha;  ///< empty: opaque
};

/// Says that somebody works on something, while it lives: a file that is touched now and then. One
/// that was not touched for kStale seconds, by the clock of the file system, belongs to a process
/// that is gone, and may be taken over.
class Claim {
 public:
  static constexpr double kStale = 120, kTouch = 20;  // s
  /// Null if another process has it, or another thread.
  static std::unique_ptr<Claim> take(const std::filesystem::path& file);
  /// Whether it was left by a process of this machine that was killed at least kStale seconds ago.
  /// Then nobody comes back to what it was for.
  static bool is_abandoned(const std::filesystem::path& file);
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  explicit Claim(std::filesystem::path file);
  std::filesystem::path file_;
};

/// A folder for one picture, which several processes may work in, also on several machines:
///   start.bin      what all its tiles start from
///   N.tile         tile N, done
///   *.claim        what is being worked on
/// A file appears complete or not at all, and holds the same whoever made it: work that is done
/// twice does no harm. All functions throw Error{io}, opened by `where`, and Error{bad_input} for
/// files that are damaged.
class TileStore {
 public:
  TileStore(std::filesystem::path folder, std::string where);

  const std::filesystem::path& folder() const { return folder_; }
  bool has_start() const;
  bool has(int tile) const;
  int count_done(int tiles) const;
  std::unique_ptr<Claim> claim_start() const;
  std::unique_ptr<Claim> claim(int tile) const;

  void save(TileStart start) const;
  void save(int tile, TileResult result) const;
  TileStart start() const;
  TileResult tile(int tile) const;
  TileFacts facts(int tile) const;

 private:
  std::filesystem::path start_file() const { return folder_ / "start.bin"; }
  std::filesystem::path tile_file(int tile) const;

  std::filesystem::path folder_;
  std::string where_;
};

}  // namespace unmar
