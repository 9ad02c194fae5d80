#include "runs/moved.h"

namespace unmar::runs {

namespace fs = std::filesystem;

std::optional<Moved> moved_along(const fs::path& old, const fs::path& folder,
                                 const std::function<bool(const fs::path&)>& is_it) {
  std::error_code error;
  fs::path around = fs::weakly_canonical(folder, error);
  if (error) around = fs::absolute(folder);
  for (;; around = around.parent_path()) {
    fs::path root = old.root_path();
    fs::path rest = old.relative_path();
    while (!rest.empty()) {
      if (fs::exists(around / rest, error) && is_it(around / rest))
        return Moved{around / rest, root, around};
      root /= *rest.begin();
      rest = rest.lexically_relative(*rest.begin());
      if (rest == ".") break;
    }
    if (!around.has_relative_path()) return std::nullopt;
  }
}

std::optional<fs::path> follow(const Moved& moved, const fs::path& old) {
  const fs::path rest = old.lexically_relative(moved.old_root);
  if (rest.empty() || *rest.begin() == "..") return std::nullopt;
  return moved.new_root / rest;
}

}  // namespace unmar::runs
