#include "unmar/runs/job_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/fail.h"
#include "runs/json.h"
#include "runs/outputs.h"
#include "runs/record.h"
#include "runs/tile_source.h"
#include "runs/tile_work.h"
#include "runs/tiled_result.h"
#include "runs/tiled_run.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/image/pages.h"
#include "unmar/runs/store.h"
#include "unmar/tasks/version.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kListFormat = 1;
constexpr std::string_view kShareDone = ".share";
constexpr auto kPoll = std::chrono::milliseconds(300);

void check_listed(const FitRequest& request) {
  const RunOutputs& out = request.out;
  for (const auto& [name, asked] : {std::pair{"`history`", !out.history.empty()},
                                    {"`manifest`", !out.manifest.empty()},
                                    {"`report`", !out.report.empty()},
                                    {"`snapshots`", !out.snapshots.empty()},
                                    {"`preview`", !out.preview.empty()},
                                    {"`reference`", !request.in.reference.empty()}})
    if (asked)
      fail(ErrorCode::bad_argument,
           "{}: tells of a run in one process, not of a job list; leave it out", name);
}

/// As the run would, before hours of work.
void check_result(const FitRequest& request, bool is_another_page) {
  const RunInputs& in = request.in;
  const fs::path& result = request.out.result;
  if (is_another_page) check_holds_pages(result);
  const ImageInfo info = read_image_info(in.picture, in.reading.page);
  const int factor = request.task == Task::upscale ? request.options.factor.value_or(1) : 1;
  const Rect part = in.reading.region.value_or(Rect{0, 0, info.height, info.width});
  check_holds(result, {info.channels, factor * part.height, factor * part.width, {}});
}

Json to_json(const ListedPicture& picture) {
  return {{"request", runs::request_to_json(picture.request)},
          {"sha256", Json::parse(picture.sha256)},
          {"tiles", picture.tiles}};
}

/// A picture of a list, opened to be worked on.
class OpenPicture {
 public:
  OpenPicture(const JobList& list, std::size_t index)
      : picture_(list.pictures[index]),
        source_(checked(picture_)),
        tiling_(picture_.request.task, *source_.picture, source_.known.get(), source_.options),
        store_(list.folder(index), "work") {
    if (tiling_.grid().count() != picture_.tiles)
      fail(ErrorCode::bad_input, "work: '{}' was listed with {} tiles, but has {}; plan it anew",
           picture_.request.in.picture.string(), picture_.tiles, tiling_.grid().count());
  }

  runs::TileWork work(int threads) const {
    return {.tiling = tiling_, .store = store_, .threads = threads, .shared = true};
  }
  const runs::TileSource& source() const { return source_; }

 private:
  static runs::TileSource checked(const ListedPicture& picture) {
    const Json planned = Json::parse(picture.sha256);
    const Json now = runs::checksums_of(picture.request.in);
    for (const auto& [name, sum] : planned.items())
      if (!now.contains(name) || now[name] != sum)
        fail(ErrorCode::bad_input,
             "work: the {} of '{}' is not the one that was planned; put that one back, or plan "
             "anew",
             name, picture.request.in.picture.string());
    return runs::open_tiles(picture.request, fs::temp_directory_path());
  }

  const ListedPicture& picture_;
  const runs::TileSource source_;
  const Tiling tiling_;
  const TileStore store_;
};

/// One process at work on a list.
class Worker {
 public:
  Worker(const JobList& list, int threads, JobObserver& observer, const std::stop_token& stop)
      : list_(list), threads_(threads), observer_(observer), stop_(stop) {}

  WorkResult go(const Share& share) {
    failed_.resize(list_.pictures.size());
    for (const ListedPicture& picture : list_.pictures)
      begins_.push_back(begins_.back() + picture.tiles);
    // Those of others that are not finished are not looked at: they count as they are done.
    for (int part = 1; part <= share.of; ++part)
      if (part == share.part || is_marked({part, share.of})) done_ += count_done({part, share.of});
    // The own share, then those behind it, then those before: helpers do not start at one place.
    for (int k = 0; k < share.of && !stop_.stop_requested(); ++k)
      do_share({(share.part - 1 + k) % share.of + 1, share.of});
    result_.left = list_.tiles();
    for (int part = 1; part <= share.of; ++part) result_.left -= count_done({part, share.of});
    result_.failed = std::ranges::count(failed_, true);
    return result_;
  }

 private:
  /// Says that all tiles of a share are done: one look instead of one for each tile, by each of
  /// perhaps a thousand workers.
  fs::path marker(const Share& share) const {
    return list_.folder() / fmt::format("{}-of-{}{}", share.part, share.of, kShareDone);
  }

  bool is_marked(const Share& share) const {
    std::error_code error;
    return fs::exists(marker(share), error);
  }

  /// visit(picture, first tile, behind the last) for the tiles of a share.
  template <class Visit>
  void for_pictures(const Share& share, Visit visit) const {
    const std::int64_t all = begins_.back();
    const std::int64_t from = all * (share.part - 1) / share.of, to = all * share.part / share.of;
    auto i =
        static_cast<std::size_t>(std::ranges::upper_bound(begins_, from) - begins_.begin()) - 1;
    for (; i < list_.pictures.size() && begins_[i] < to; ++i) {
      const std::int64_t first = std::max<std::int64_t>(from - begins_[i], 0);
      const std::int64_t last = std::min<std::int64_t>(to - begins_[i], list_.pictures[i].tiles);
      if (first < last) visit(i, static_cast<int>(first), static_cast<int>(last));
    }
  }

  struct Count {
    std::int64_t done = 0, all = 0;
  };
  Count counted(const Share& share) const {
    Count count;
    const bool whole = is_marked(share);
    for_pictures(share, [&](std::size_t picture, int first, int last) {
      count.all += last - first;
      if (whole) return;
      if (list_.is_joined(picture)) {
        count.done += last - first;
        return;
      }
      const TileStore store(list_.folder(picture), "work");
      for (int tile = first; tile < last; ++tile) count.done += store.has(tile) ? 1 : 0;
    });
    if (whole) count.done = count.all;
    return count;
  }
  std::int64_t count_done(const Share& share) const { return counted(share).done; }

  void do_share(const Share& share) {
    if (is_marked(share)) return;
    for_pictures(share, [&](std::size_t picture, int first, int last) {
      if (failed_[picture] || stop_.stop_requested() || list_.is_joined(picture)) return;
      try {
        do_some(picture, first, last);
      } catch (const std::exception& failure) {
        failed_[picture] = true;
        observer_.warned(fmt::format("{}: {}", list_.pictures[picture].request.in.picture.string(),
                                     failure.what()));
      }
    });
    const Count count = counted(share);
    if (count.done < count.all) return;
    try {
      write_text(marker(share), "", "work");
    } catch (const Error&) {  // it only saves others from looking
    }
  }

  void do_some(std::size_t index, int first, int last) {
    const TileStore store(list_.folder(index), "work");
    std::vector<int> tiles;
    for (int tile = first; tile < last; ++tile)
      if (!store.has(tile)) tiles.push_back(tile);
    if (tiles.empty()) return;
    if (!open_ || opened_ != index) {
      open_.reset();  // two of them would take twice the memory
      open_.emplace(list_, index);
      opened_ = index;
    }
    runs::TileWork work = open_->work(threads_);
    work.on_tile = [&](const TileResult&) {
      ++result_.done_here;
      observer_.progressed({++done_, list_.tiles(), result_.done_here, seconds_since(start_)});
    };
    while (!runs::begin_tiles(work, stop_)) {
      if (stop_.stop_requested()) return;
      std::this_thread::sleep_for(kPoll);  // another process is at it
    }
    runs::do_tiles(work, tiles, stop_);
  }

  const JobList& list_;
  const int threads_;
  JobObserver& observer_;
  const std::stop_token& stop_;
  const Clock::time_point start_ = Clock::now();
  std::int64_t done_ = 0;
  std::vector<std::int64_t> begins_ = {0};  ///< of each picture its first tile in the list
  std::vector<bool> failed_;                ///< pictures
  WorkResult result_;
  std::optional<OpenPicture> open_;
  std::size_t opened_ = 0;
};

/// The pictures from `first` on that are pages of one result.
std::size_t end_of_result(const JobList& list, std::size_t first) {
  std::size_t end = first + 1;
  const fs::path& result = list.pictures[first].request.out.result;
  while (end < list.pictures.size() && list.pictures[end].request.out.result == result) ++end;
  return end;
}

/// What is missing must be looked for again, should somebody have taken tiles away.
void forget_shares(const JobList& list) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(list.folder(), error))
    if (entry.path().extension() == kShareDone) fs::remove(entry.path(), error);
}

fs::path joined_mark(const JobList& list, std::size_t picture) {
  return list.folder(picture) / "joined";
}

void write_result(const JobList& list, std::size_t first, std::size_t end) {
  const FitRequest& request = list.pictures[first].request;
  if (end - first == 1) {
    const OpenPicture open(list, first);
    runs::write_tiled_result(open.work(0), open.source(), request, list.folder(first));
  } else {
    std::vector<Image> pages;
    for (std::size_t i = first; i < end; ++i) {
      const OpenPicture open(list, i);
      pages.push_back(runs::tiled_result(open.work(0), open.source()));
      if (request.out.writing.strip) pages.back().source.metadata = nullptr;
    }
    write_pages(request.out.result, pages, request.in.picture, request.out.writing);
  }
  // All marks before the first tile goes: a join that ends in between finds either all pages marked
  // or all tiles of those that are not.
  for (std::size_t i = first; i < end; ++i) write_text(joined_mark(list, i), "", "join");
}

void remove_tiles(const JobList& list, std::size_t first, std::size_t end) {
  for (std::size_t i = first; i < end; ++i) {
    std::error_code error;
    const fs::path mark = joined_mark(list, i);
    for (const auto& entry : fs::directory_iterator(list.folder(i), error))
      if (entry.path() != mark) fs::remove(entry.path(), error);
  }
}

/// Tiles that a result still needs. Where one of its pages is not joined, all are written anew: a
/// page that was joined, but whose tiles are gone, has to be done again.
std::int64_t count_missing(const JobList& list, std::size_t first, std::size_t end) {
  std::int64_t missing = 0;
  for (std::size_t i = first; i < end; ++i) {
    const TileStore store(list.folder(i), "join");
    const int left = list.pictures[i].tiles - store.count_done(list.pictures[i].tiles);
    std::error_code error;
    if (left > 0) fs::remove(joined_mark(list, i), error);
    missing += left;
  }
  return missing;
}

}  // namespace

std::int64_t JobList::tiles() const {
  std::int64_t sum = 0;
  for (const ListedPicture& picture : pictures) sum += picture.tiles;
  return sum;
}

fs::path JobList::folder(std::size_t picture) const {
  return folder() / fmt::format("{:06}", picture + 1);
}

bool JobList::is_joined(std::size_t picture) const {
  std::error_code error;
  return fs::exists(joined_mark(*this, picture), error);
}

JobList plan_jobs(const fs::path& file, const std::vector<FitRequest>& requests) {
  std::error_code error;
  if (fs::exists(file, error))
    fail(ErrorCode::bad_argument,
         "plan: '{}' is there already; 'unmar work' goes on with it, or name another",
         file.string());
  JobList list{.file = file, .pictures = {}};
  if (fs::exists(list.folder(), error) && !fs::is_empty(list.folder(), error))
    fail(ErrorCode::bad_argument,
         "plan: '{}' holds the tiles of an earlier list of this name, perhaps with other options; "
         "delete it, or name another list",
         list.folder().string());
  Json json = {{"format", kListFormat}, {"unmar", version()}, {"pictures", Json::array()}};
  for (const FitRequest& given : requests) {
    check_listed(given);
    const FitRequest request = with_absolute_paths(given);
    check_outputs(request, resolve(request.task, runs::options_with_files(request)), nullptr,
                  false);
    check_result(request, !list.pictures.empty() &&
                              list.pictures.back().request.out.result == request.out.result);
    list.pictures.push_back({.request = request,
                             .sha256 = runs::checksums_of(request.in).dump(),
                             .tiles = runs::tile_count(request)});
    json["pictures"].push_back(to_json(list.pictures.back()));
  }
  write_text(file, runs::dumped(json, "plan"), "plan");
  prepare_folder(list.folder(), "plan");
  return list;
}

JobList read_jobs(const fs::path& file) {
  const Json json = Json::parse(read_text(file, "job list"), nullptr, false);
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorCode::bad_input,
                 fmt::format("job list: '{}' is none, or was changed: {}", file.string(), why));
  };
  if (!json.is_object()) throw damaged("it is no JSON object");
  try {
    if (json.at("format") != kListFormat) throw damaged("its format is not 1");
    if (const std::string made = json.at("unmar"); made != version())
      fail(ErrorCode::unsupported,
           "job list: '{}' was planned by unmar {}, this is {}; use that one on all machines, or "
           "plan anew",
           file.string(), made, version());
    JobList list{.file = fs::absolute(file), .pictures = {}};
    for (const Json& one : json.at("pictures")) {
      list.pictures.push_back({.request = runs::request_of_json(one.at("request")),
                               .sha256 = one.at("sha256").dump(),
                               .tiles = one.at("tiles")});
      if (list.pictures.back().tiles < 1) throw damaged("a picture has no tiles");
    }
    if (list.pictures.empty()) throw damaged("it lists no pictures");
    return list;
  } catch (const Json::exception& error) {
    throw damaged(error.what());
  }
}

WorkResult work_on(const JobList& list, const Share& share, int threads, JobObserver& observer,
                   std::stop_token stop) {
  if (share.of < 1 || share.part < 1 || share.part > share.of)
    fail(ErrorCode::bad_argument, "work: `part` must be I/N with I from 1 to N, got {}/{}",
         share.part, share.of);
  return Worker(list, threads, observer, stop).go(share);
}

JoinResult join_jobs(const JobList& list, JobObserver& observer) {
  prepare_folder(list.folder(), "join");
  const FolderLock lock(list.folder(), "join");
  JoinResult result;
  for (std::size_t first = 0, end = 0; first < list.pictures.size(); first = end) {
    end = end_of_result(list, first);
    bool joined = true;
    for (std::size_t i = first; i < end; ++i) joined = joined && list.is_joined(i);
    const std::int64_t missing = joined ? 0 : count_missing(list, first, end);
    result.missing += missing;
    if (missing > 0) {
      forget_shares(list);
      continue;
    }
    const FitRequest& request = list.pictures[first].request;
    try {
      if (!joined) {
        write_result(list, first, end);
        observer.joined(request);
      }
      remove_tiles(list, first, end);  // also those that an earlier join left
      ++result.written;
    } catch (const std::exception& error) {
      ++result.failed;
      observer.warned(fmt::format("{}: {}", request.out.result.string(), error.what()));
    }
  }
  return result;
}

}  // namespace unmar
