#include "models_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unmar/base/error.h>

#include <algorithm>
#include <vector>

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

/// Beside the program, wherever that was put; the build tree is laid out alike.
fs::path shipped_models() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return program.parent_path() / UNMAR_MODELS_FROM_PROGRAM;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error))
    if (i->is_directory(error)) names.push_back(i->path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

fs::path model_folder(const std::string& name) {
  std::error_code error;
  if (fs::is_directory(name, error)) return name;
  const std::vector<std::string> names = names_in(shipped_models());
  if (std::ranges::find(names, name) != names.end()) return shipped_models() / name;
  throw Error(ErrorCode::io,
              fmt::format("model: there is no folder '{}', nor a model of that name; {}", name,
                          names.empty() ? "give the folder of a model"
                                        : fmt::format("those that came with unmar are {}",
                                                      fmt::join(names, ", "))));
}

}  // namespace unmar::cli
