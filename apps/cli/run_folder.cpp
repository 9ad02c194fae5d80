#include "run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <unmar/error.h>
#include <unmar/observe.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "output_file.h"
#include "sealed_file.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPictureName = "iteration_";
constexpr std::string_view kPictureType = ".tif";
constexpr ValueRange kAsTheyAre{0, 1};

}  // namespace

void RunFolder::require_free() const {
  std::error_code error;
  if (fs::exists(record(), error))
    throw Error(ErrorCode::bad_argument,
                fmt::format("--run: '{}' holds a run already; go on with it by 'unmar resume', or "
                            "choose another folder",
                            path_.string()));
  if (fs::exists(path_, error) && !fs::is_directory(path_, error))
    throw Error(ErrorCode::io,
                fmt::format("--run: '{}' is not a folder; choose another name", path_.string()));
  fs::path there = path_;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, error) || access(there.c_str(), W_OK) != 0)
    throw Error(ErrorCode::io, fmt::format("--run: '{}' cannot be made in '{}'; choose another",
                                           path_.string(), there.string()));
}

void RunFolder::make() const { prepare_folder(pictures(), "--run"); }

void RunFolder::require_run(const std::string& option) const {
  std::error_code error;
  if (fs::exists(record(), error)) return;
  const bool folder = fs::is_directory(path_, error);
  throw Error(ErrorCode::bad_input,
              fmt::format("{}: '{}' {}; give the folder that --run named", option, path_.string(),
                          folder ? "holds no run (no run.json)" : "is not a folder"));
}

void RunFolder::save(std::string_view payload) const {
  write_text(checkpoint(), sealed(payload), "--run");
}

std::string RunFolder::load() const {
  return unsealed(read_text(checkpoint(), "resume"), checkpoint());
}

fs::path RunFolder::picture_file(int iteration) const {
  return pictures() / fmt::format("{}{:06}{}", kPictureName, iteration, kPictureType);
}

void RunFolder::keep(int iteration, const Tensor& picture) const {
  ImageSource source;
  source.format = SampleFormat::f32;
  source.range = kAsTheyAre;
  write_image(picture_file(iteration), to_image(picture, source));
}

std::vector<int> RunFolder::kept() const {
  std::vector<int> iterations;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(pictures(), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPictureName) || !name.ends_with(kPictureType)) continue;
    const char* begin = name.data() + kPictureName.size();
    const char* end = name.data() + name.size() - kPictureType.size();
    int iteration = 0;
    const auto [stop, wrong] = std::from_chars(begin, end, iteration);
    if (wrong == std::errc{} && stop == end && iteration >= 0) iterations.push_back(iteration);
  }
  std::ranges::sort(iterations);
  return iterations;
}

Tensor RunFolder::picture(int iteration) const {
  ReadOptions options;
  options.max_megapixels = 1e6;  // it was accepted when the run began
  options.fixed_range = kAsTheyAre;
  return to_tensor(read_image(picture_file(iteration), options));
}

void RunFolder::clean() const {
  std::error_code error;
  std::vector<fs::path> remains;
  for (const fs::path& folder : {path_, pictures()})
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      const bool temporary = name.starts_with(".") && name.ends_with(".tmp");
      if (temporary || name.starts_with(".unmar-")) remains.push_back(entry.path());
    }
  for (const fs::path& path : remains) fs::remove(path, error);
}

RunLock::RunLock(const fs::path& folder, const std::string& option)
    : file_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  // Where the file system has no locks there is none.
  if (file_ < 0 || flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(file_);
  throw Error(ErrorCode::io,
              fmt::format("{}: another unmar works in '{}'; wait for it, or choose another", option,
                          folder.string()));
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace unmar::cli
