#pragma once

#include <filesystem>
#include <functional>
#include <optional>

namespace unmar::runs {

/// A file or folder that was moved together with `folder`, which is where it is now. `old` is the
/// place of the file before. Looked for is the end of its old path, longest first, below `folder`
/// and each folder around it, nearest first; `is_it` judges what is there.
struct Moved {
  std::filesystem::path now;
  std::filesystem::path old_root, new_root;  ///< old_root/rest became new_root/rest
};
std::optional<Moved> moved_along(const std::filesystem::path& old,
                                 const std::filesystem::path& folder,
                                 const std::function<bool(const std::filesystem::path&)>& is_it);

/// Where a path below old_root is now; nothing if it is not below it.
std::optional<std::filesystem::path> follow(const Moved& moved, const std::filesystem::path& old);

}  // namespace unmar::runs
