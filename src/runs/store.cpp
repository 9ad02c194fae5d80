#include "unmar/runs/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>

#include "base/fail.h"
#include "runs/record.h"
#include "unmar/base/files.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPictureName = "iteration_";
constexpr std::string_view kPictureType = ".tif";
constexpr ValueRange kAsTheyAre{0, 1};

std::string cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.9g}", *value) : std::string();
}

/// The heading and the rows of the iterations before `iteration`.
std::string rows_before(const std::string& csv, int iteration) {
  std::size_t end = csv.find('\n');
  if (end == csv.npos) return "";
  for (++end; end < csv.size();) {
    int number = 0;
    const auto [stop, error] = std::from_chars(&csv[end], csv.data() + csv.size(), number);
    const std::size_t next = csv.find('\n', end);
    if (error != std::errc{} || number >= iteration || next == csv.npos) break;
    end = next + 1;
  }
  return csv.substr(0, end);
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder, std::string_view where)
    : file_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  // Where the file system has no locks there is none.
  if (file_ < 0 || flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(file_);
  fail(ErrorCode::io, "{}: another unmar works in '{}'; wait for it, or choose another", where,
       folder.string());
}

FolderLock::~FolderLock() {
  if (file_ >= 0) close(file_);
}

RunStore::RunStore(const fs::path& folder, std::string where)
    : folder_(fs::absolute(folder)), where_(std::move(where)) {}

void RunStore::require_free() const {
  std::error_code error;
  if (fs::exists(record(), error))
    fail(ErrorCode::bad_argument,
         "{}: '{}' holds a run already; go on with it by 'unmar resume', or choose another folder",
         where_, folder_.string());
  if (fs::exists(folder_, error) && !fs::is_directory(folder_, error))
    fail(ErrorCode::io, "{}: '{}' is not a folder; choose another name", where_, folder_.string());
  fs::path there = folder_;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, error) || access(there.c_str(), W_OK) != 0)
    fail(ErrorCode::io, "{}: '{}' cannot be made in '{}'; choose another", where_, folder_.string(),
         there.string());
}

void RunStore::require_run() const {
  std::error_code error;
  if (fs::exists(record(), error)) return;
  const bool folder = fs::is_directory(folder_, error);
  fail(ErrorCode::bad_input, "{}: '{}' {}; give the folder that `run` named", where_,
       folder_.string(), folder ? "holds no run (no run.json)" : "is not a folder");
}

bool RunStore::is_finished() const {
  std::error_code error;
  return !fs::exists(checkpoint(), error) && fs::exists(manifest(), error) &&
         runs::came_to_its_end(read_text(manifest(), where_));
}

void RunStore::begin(const RunRecord& given) {
  prepare_folder(pictures(), where_);
  lock_.emplace(folder_, where_);
  require_free();
  record_text_ = runs::to_json(given);
  write_text(record(), record_text_, where_);
}

RunRecord RunStore::take_up() {
  require_run();
  lock_.emplace(folder_, where_);
  remove_remains(folder_);
  remove_remains(pictures());
  remove_remains(tiles());
  record_text_ = read_text(record(), where_);
  return runs::read_record(record(), record_text_, where_);
}

RunRecord RunStore::read_record() const {
  require_run();
  return runs::read_record(record(), read_text(record(), where_), where_);
}

fs::path RunStore::picture_file(int iteration) const {
  return pictures() / fmt::format("{}{:06}{}", kPictureName, iteration, kPictureType);
}

void RunStore::keep(int iteration, const Tensor& picture) const {
  ImageSource source;
  source.format = SampleFormat::f32;
  source.range = kAsTheyAre;
  write_image(picture_file(iteration), to_image(picture, source));
}

std::vector<int> RunStore::kept() const {
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

Tensor RunStore::picture(int iteration) const {
  ReadOptions options;
  options.max_megapixels = 1e6;  // it was accepted when the run began
  options.fixed_range = kAsTheyAre;
  return to_tensor(read_image(picture_file(iteration), options));
}

void RunStore::append(const HistoryRow& row, const std::vector<std::string>& watchers) {
  if (!appending_) {
    std::error_code error;
    std::string rows;
    if (fs::exists(history(), error))
      rows = rows_before(read_text(history(), where_), row.iteration);
    write_text(history(), rows.empty() ? history_heading(watchers) : rows, where_);
    appending_ = true;
  }
  rows_ += history_line(row);
}

void RunStore::flush() {
  if (rows_.empty()) return;
  std::error_code error;
  const std::uintmax_t before = fs::file_size(history(), error);
  std::ofstream file(history(), std::ios::binary | std::ios::app);
  file.write(rows_.data(), static_cast<std::streamsize>(rows_.size()));
  file.close();
  if (!file) {
    // They will be written again, which must not be behind a part of them.
    if (!error) fs::resize_file(history(), before, error);
    fail(ErrorCode::io, "{}: '{}' cannot be written; is the disk full?", where_,
         history().string());
  }
  rows_.clear();
}

void remove_remains(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> remains;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with(".unmar-")) remains.push_back(entry.path());
  for (const fs::path& path : remains) fs::remove(path, error);
}

std::string history_heading(const std::vector<std::string>& watchers) {
  std::string text = "iteration,loss,psnr,psnr_average,signal,rolled_back,part";
  for (const std::string& name : watchers) text += fmt::format(",{0},{0}_best,{0}_stopped", name);
  return text + '\n';
}

std::string history_line(const HistoryRow& row) {
  std::string text =
      fmt::format("{},{:.9g},{},{},{},{},{}", row.iteration, row.loss, cell(row.psnr),
                  cell(row.psnr_average), cell(row.signal), row.rolled_back ? 1 : 0, row.part);
  for (const WatchedRow& w : row.watched)
    text += fmt::format(",{},{},{}", cell(w.signal),
                        w.best >= 0 ? fmt::to_string(w.best) : std::string(), w.stopped ? 1 : 0);
  return text + '\n';
}

std::string history_csv(const FitResult& fit) {
  std::vector<std::string> watchers;
  for (const Watched& watched : fit.watched) watchers.push_back(watched.name);
  std::string text = history_heading(watchers);
  for (const HistoryRow& row : fit.history) text += history_line(row);
  return text;
}

}  // namespace unmar
