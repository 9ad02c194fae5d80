#include "runs/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "base/fail.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".unmar-tiles-";
constexpr const char* kUnwanted = ".unmar-old-";  ///< what is being removed, or was when it ended
constexpr const char* kInUse = "run.claim";

/// Under another name first, so that nobody takes what is half removed for something.
void remove_folder(const fs::path& folder) {
  const fs::path unwanted =
      folder.parent_path() / (kUnwanted + folder.filename().string().substr(1));
  std::error_code error;
  fs::rename(folder, unwanted, error);
  if (!error) fs::remove_all(unwanted, error);
}

/// Tiles of runs that were killed: as large as their results, and hidden. A run that lives holds
/// the lock of its folder, and touches its claim where a file system has no locks.
void remove_abandoned(const fs::path& beside) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (fs::directory_iterator at(beside, error), end; !error && at != end; at.increment(error))
    folders.push_back(at->path());
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    if (name.starts_with(kUnwanted)) fs::remove_all(folder, error);
    if (!name.starts_with(kTemporary) || !Claim::is_abandoned(folder / kInUse)) continue;
    try {
      const FolderLock lock(folder, "tiles");
      remove_folder(folder);
    } catch (const Error&) {  // somebody works there
    }
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder(const fs::path& beside) {
  remove_abandoned(beside);
  std::string name = (beside / kTemporary).string() + "XXXXXX";
  if (!::mkdtemp(name.data()))
    fail(ErrorCode::io, "tiles: no folder for them can be made in '{}': {}", beside.string(),
         std::strerror(errno));
  path_ = name;
  try {
    lock_.emplace(path_, "tiles");
    in_use_ = Claim::take(path_ / kInUse);
  } catch (...) {
    remove_folder(path_);
    throw;
  }
}

TemporaryFolder::~TemporaryFolder() {
  remove_folder(path_);
  in_use_.reset();
}

}  // namespace unmar::runs
