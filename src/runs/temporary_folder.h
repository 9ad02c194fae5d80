#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "unmar/runs/store.h"
#include "unmar/runs/tile_store.h"

namespace unmar::runs {

/// A hidden folder of its own for tiles, for as long as this lives: another run's may be beside it,
/// or one that a killed run left, whose tiles must not be taken. Those that killed runs of this
/// machine left are removed first.
class TemporaryFolder {
 public:
  /// throws Error{io}.
  explicit TemporaryFolder(const std::filesystem::path& beside);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::optional<FolderLock> lock_;
  std::unique_ptr<Claim> in_use_;
};

}  // namespace unmar::runs
