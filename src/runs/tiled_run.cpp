#include "runs/tiled_run.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "base/fail.h"
#include "base/limits.h"
#include "runs/beside.h"
#include "runs/json.h"
#include "runs/outputs.h"
#include "runs/pictures.h"
#include "runs/preview.h"
#include "runs/record.h"
#include "runs/temporary_folder.h"
#include "runs/tile_estimate.h"
#include "runs/tile_source.h"
#include "runs/tile_work.h"
#include "runs/tiled_result.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/image/pages.h"
#include "unmar/report/report.h"
#include "unmar/tasks/version.h"

namespace unmar::runs {
namespace {

namespace fs = std::filesystem;

/// Of one fit, which tiles have many of.
void check_shown(const FitRequest& request, const RestoreOptions& resolved, int tiles) {
  const RunOutputs& out = request.out;
  for (const auto& [name, asked] : {std::pair{"`history`", !out.history.empty()},
                                    {"`snapshots`", !out.snapshots.empty()},
                                    {"`watch`", resolved.watch.has_value()}})
    if (asked)
      fail(
          ErrorCode::bad_argument,
          "{}: shows one fit, but the picture is restored in {} tiles; leave it out, or add `tile` "
          "none; `preview` FILE shows tiles",
          name, tiles);
}

/// What is there of the path: a run's folder is made when all is found good.
fs::path existing_part_of(fs::path path) {
  std::error_code error;
  while (!path.empty() && !fs::is_directory(path, error)) path = path.parent_path();
  return path.empty() ? fs::path(".") : path;
}

/// For files beside the work, on the disk that has the tiles.
fs::path scratch_folder(const FitRequest& request, const TiledRunContext& context) {
  const fs::path kept = context.store ? context.store->tiles() : context.folder;
  return kept.empty() ? working_folder(request.out.result) : existing_part_of(kept);
}

/// throws Error{too_large} unless the disk holds the tiles that are still to come, and the result
/// twice, while it is written.
void require_disk(const Tiling& tiling, const fs::path& folder, int left) {
  const Rect tile = tiling.grid().tile(0);
  const double factor = tiling.factor(), pixel = (tiling.channels() + 1) * sizeof(float);
  const TileGrid result = tiling.result_grid();
  const double needed = pixel * (factor * tile.height * factor * tile.width * left +
                                 2. * result.rows().length() * result.columns().length());
  std::error_code error;
  const fs::space_info disk = fs::space(folder, error);
  if (error || needed <= static_cast<double>(disk.available)) return;
  fail(ErrorCode::too_large, "tiles: they take {} in '{}', but {} are free there; free some",
       bytes_in_words(static_cast<std::size_t>(needed)), folder.string(),
       bytes_in_words(disk.available));
}

/// Tells the observer of tiles, and how long they will take; with `mutex` held, as on any thread.
class Teller {
 public:
  Teller(RunObserver& observer, std::mutex& mutex, int done, int all)
      : observer_(observer),
        mutex_(mutex),
        done_(done),
        before_(done),
        all_(all),
        shares_(static_cast<std::size_t>(all)) {}

  void share(int tile, double share) {
    const std::lock_guard lock(mutex_);
    shares_[static_cast<std::size_t>(tile)] = share;
    tell();
  }
  void done(int tile) {
    const std::lock_guard lock(mutex_);
    shares_[static_cast<std::size_t>(tile)] = 0;
    ++done_;
    tell();
  }

 private:
  void tell() {
    const double begun = std::reduce(shares_.begin(), shares_.end());
    const double here = done_ - before_ + begun, seconds = seconds_since(start_);
    // A fit may end before its last iteration, so the first tiles tell too much; what is beside
    // the fit is not in its share, so the first iterations tell nothing.
    constexpr double kTelling = 0.2;
    const double left = here > kTelling ? seconds / here * (all_ - done_ - begun) : 0;
    observer_.tiled({.done = done_,
                     .all = all_,
                     .share = (done_ + begun) / all_,
                     .seconds = seconds,
                     .seconds_left = left});
  }

  RunObserver& observer_;
  std::mutex& mutex_;
  int done_;
  const int before_, all_;
  std::vector<double> shares_;
  const Clock::time_point start_ = Clock::now();
};

class TiledRun {
 public:
  TiledRun(const FitRequest& request, const TiledRunContext& context, RunObserver& observer,
           const std::stop_token& stop)
      : request_(request),
        store_(context.store),
        record_(context.record),
        restorer_(context.restorer),
        resumed_(context.record || context.resumed),
        on_begin_(context.on_begin),
        observer_(observer),
        stop_(stop),
        kept_(context.store ? context.store->tiles() : context.folder),
        scratch_(scratch_folder(request, context)),
        source_(open_tiles(request, scratch_)),
        tiling_(request.task, *source_.picture, source_.known.get(), source_.options,
                context.restorer),
        all_(tiling_.grid().count()) {
    const RestoreOptions resolved = resolve(request.task, source_.options);
    check_outputs(request, resolved, store_, record_ != nullptr);
    check_shown(request, resolved, all_);
    if (!request.out.result.empty()) check_holds(request.out.result, result_size());
    check_reference();
    result_.input = source_.picture->facts();
    result_.started = record_ ? record_->started : now_utc();
    result_.restored.options = resolved;
    result_.restored.engine = make_engine(resolved.engine.value())->info();
    result_.restored.values = tiling_.counts();
    const bool has_fit = !restorer_ || restorer_->has_fit();
    if (has_fit && resolved.method != Method::patches)
      result_.restored.network = network_options(tiling_.options());
  }

  RunResult go() {
    begin();
    std::optional<TemporaryFolder> temporary;
    if (kept_.empty()) temporary.emplace(scratch_);
    const TileStore tiles(temporary ? temporary->path() : kept_, temporary ? "tiles" : "`run`");
    work(tiles);
    observer_.writing();
    write(tiles);
    observer_.finished(request_, result_);
    return std::move(result_);
  }

 private:
  void begin() {
    if (store_ && !record_)
      store_->begin({.request = request_,
                     .resolved = result_.restored.options,
                     .engine = result_.restored.engine,
                     .started = result_.started,
                     .version = version(),
                     .moved = {}});
    if (on_begin_) on_begin_();
    result_.tiling = TilingFacts{
        .size = tiling_.result_grid().rows().size(), .count = all_, .tiles = {}, .failed = false};
    constexpr int kWorthIt = 20;  // the estimate takes about half as long as a tile
    if (!resumed_ && all_ >= kWorthIt && result_.restored.options.method != Method::patches)
      result_.tiling->estimate = estimate_of(tiling_, *source_.picture, stop_);
    observer_.started({.request = request_,
                       .input = result_.input,
                       .start = result_.restored,
                       .resumed = resumed_,
                       .has_checkpoint = resumed_,
                       .tiles = result_.tiling});
    if (!source_.mask_warning.empty())
      observer_.warned(request_.in.mask.string() + ": " + source_.mask_warning);
  }

  void work(const TileStore& tiles) {
    require_disk(tiling_, tiles.folder(), all_ - tiles.count_done(all_));
    Teller teller(observer_, telling_, tiles.count_done(all_), all_);
    if (wants_report() || !request_.out.preview.empty()) begin_preview(tiles);
    const auto preview = [&](auto act) {
      if (preview_) beside_("`preview`", [&] { act(*preview_); });
    };
    preview([](Preview& p) { p.write(); });
    TileWork work{
        .tiling = tiling_, .store = tiles, .threads = result_.restored.options.threads.value()};
    work.on_share = [&](int tile, double share) { teller.share(tile, share); };
    work.on_tile = [&](const TileResult& result) {
      preview([&](Preview& p) { p.add(result); });
      teller.done(result.facts.tile);
    };
    if (!begin_tiles(work, stop_)) return;
    result_.restored.noise = tiles.start().noise;
    std::vector<int> order(static_cast<std::size_t>(all_));
    std::iota(order.begin(), order.end(), 0);
    try {
      do_tiles(work, order, stop_);
    } catch (const std::exception& error) {
      if (tiles.count_done(all_) == 0) throw;
      result_.tiling->failed = true;
      result_.tiling->why = error.what();
      observer_.warned(fmt::format("{}; the tiles that failed stay as they came", error.what()));
    }
  }

  bool wants_report() const { return store_ || !request_.out.report.empty(); }

  void begin_preview(const TileStore& tiles) {
    preview_.emplace(request_.out.preview, tiling_);
    before_ = preview_->picture();
    for (int tile = 0; tile < all_; ++tile)
      if (tiles.has(tile)) preview_->put(tiles.tile(tile));
  }

  void write(const TileStore& tiles) {
    const TileWork work{.tiling = tiling_, .store = tiles};
    result_.output = result_facts(work);
    count(tiles);
    if (request_.out.result.empty()) {
      result_.restored.image = tiled_result(work, source_);
      if (request_.out.writing.strip) result_.restored.image.source.metadata = nullptr;
    } else {
      write_tiled_result(work, source_, request_, scratch_);
    }
    beside_.result_is_written();
    if (preview_)
      beside_("`preview`", [&] {
        for_result_rows(work, source_,
                        [&](int y, const Image& rows) { preview_->put_rows(y, rows); });
        preview_->write();
      });
    if (!request_.in.reference.empty()) compare(work);
    result_.seconds = seconds_since(start_);
    const FitRequest told = store_ ? with_absolute_paths(request_) : request_;
    std::function<std::string(const std::string&)> report;
    if (preview_ && wants_report())
      report = [&](const std::string& manifest) { return report_of(told, manifest); };
    const RunDocuments documents = write_documents(told, result_, beside_, report);
    if (!store_ || documents.manifest.empty()) return;
    beside_("`run`, its end", [&] {
      write_text(store_->report(), documents.report, "`run`");
      write_text(store_->manifest(), documents.manifest, "`run`");
    });
  }

  std::string report_of(const FitRequest& told, const std::string& manifest) const {
    const TileGrid grid = tiling_.result_grid();
    std::vector<ReportTile> tiles;
    for (int tile = 0; tile < all_; ++tile) tiles.push_back({.rect = grid.tile(tile)});
    for (const TileFacts& facts : result_.tiling->tiles) {
      ReportTile& tile = tiles[static_cast<std::size_t>(facts.tile)];
      tile = {tile.rect, true, facts.iterations, facts.best_iteration, facts.stopped};
    }
    return report_json({.task = request_.task,
                        .input = request_.in.picture.filename().string(),
                        .command = command_line(told),
                        .summary = summary(request_, result_),
                        .manifest = manifest,
                        .restored = result_.restored,
                        .output = result_.output,
                        .after = preview_->picture(),
                        .before = &before_,
                        .tiles = std::move(tiles)});
  }

  /// What the tiles' fits came to.
  void count(const TileStore& tiles) {
    TilingFacts& facts = *result_.tiling;
    FitResult& fit = result_.restored.fit;
    for (int tile = 0; tile < all_; ++tile) {
      if (!tiles.has(tile)) continue;
      const TileFacts one = tiles.facts(tile);
      facts.tiles.push_back(one);
      fit.iterations += one.iterations;
      fit.seconds += one.seconds;
    }
    const bool whole = static_cast<int>(facts.tiles.size()) == all_;
    fit.stopped_by = whole ? StoppedBy::stopper : StoppedBy::cancelled;
  }

  ImageFacts result_size() const {
    const TileGrid grid = tiling_.result_grid();
    return {tiling_.channels(), grid.rows().length(), grid.columns().length(), {}};
  }

  /// Before hours of work.
  void check_reference() const {
    const RunInputs& in = request_.in;
    if (in.reference.empty()) return;
    const ImageInfo info = read_image_info(in.reference, reading_of(in, in.reference).page);
    const auto [channels, height, width, source] = result_size();
    if (in.reading.region) return;  // which the reference is read in, too
    if (info.width == width && info.height == height && info.channels == channels) return;
    fail(ErrorCode::bad_input,
         "`reference`: it is {}x{} px with {} channels, but the result will be {}x{} px with {}; "
         "give a clean picture of the same kind",
         info.width, info.height, info.channels, width, height, channels);
  }

  /// In memory, as it is a trial on a picture that is known.
  void compare(const TileWork& work) {
    const PictureParts& picture = *source_.picture;
    const Image whole = picture.part({0, 0, picture.height(), picture.width()});
    const int factor = tiling_.factor();
    const Image reference =
        read_like(whole, request_.in.reference,
                  enlarged_region(reading_of(request_.in, request_.in.reference), factor));
    const Image input = factor == 1 ? whole : enlarge_bicubic(whole, factor);
    const Image result = tiled_result(work, source_);
    Restored& restored = result_.restored;
    restored.psnr = psnr(result, reference);
    restored.ssim = ssim(result, reference);
    restored.psnr_input = psnr(input, reference);
    restored.ssim_input = ssim(input, reference);
  }

  const FitRequest& request_;
  RunStore* store_;
  const RunRecord* record_;
  const TileRestorer* restorer_;
  const bool resumed_;
  const std::function<void()> on_begin_;
  RunObserver& observer_;
  const std::stop_token& stop_;
  const Clock::time_point start_ = Clock::now();
  const fs::path kept_;  ///< the tiles, so that the run can be resumed; empty: they are not
  const fs::path scratch_;
  const TileSource source_;
  const Tiling tiling_;
  const int all_;
  std::optional<Preview> preview_;
  Image before_;        ///< as small as the preview
  std::mutex telling_;  ///< while the observer is told of tiles or, meanwhile, of files beside them
  Beside beside_{[this](const std::string& text) {
    const std::lock_guard lock(telling_);
    observer_.warned(text);
  }};
  RunResult result_;
};

}  // namespace

int tile_count(const FitRequest& request) {
  const RestoreOptions resolved = resolve(request.task, options_with_files(request));
  if (resolved.tile == "none") return 1;
  const Shape picture = shape_of(request.in);
  if (picture.h < 1 || picture.w < 1) return 1;  // which reading refuses
  return tile_grid(request.task, picture.h, picture.w, resolved).count();
}

fs::path working_folder(const fs::path& result) {
  if (result.empty()) return fs::temp_directory_path();
  const fs::path folder = without_links(result).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

RunResult run_tiled(const FitRequest& request, const TiledRunContext& context,
                    RunObserver& observer, const std::stop_token& stop) {
  return TiledRun(request, context, observer, stop).go();
}

}  // namespace unmar::runs
