#include "unmar/runs/run.h"

#include <fmt/format.h>

#include <utility>

#include "base/fail.h"
#include "report/frames.h"
#include "runs/beside.h"
#include "runs/json.h"
#include "runs/outputs.h"
#include "runs/pictures.h"
#include "runs/record.h"
#include "runs/tiled_run.h"
#include "unmar/base/checksum.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/image/pages.h"
#include "unmar/report/report.h"
#include "unmar/runs/film.h"
#include "unmar/tasks/version.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kKeptPictures = 40;
constexpr double kFlushSeconds = 1;  ///< between writes of the history of a store

/// The names in the option "watch".
std::vector<std::string> watchers_of(const RestoreOptions& resolved) {
  std::vector<std::string> names;
  const std::string list = resolved.watch.value_or("");
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

/// One fit from its pictures to its files.
class Run {
 public:
  /// record: what the run was begun with, if it is resumed, else null.
  Run(const FitRequest& request, RunStore* store, const RunRecord* record, RunObserver& observer,
      std::stop_token stop)
      : request_(request),
        store_(store),
        record_(record),
        observer_(observer),
        stop_(std::move(stop)) {
    result_.started = record ? record->started : now_utc();
    // Everything that can be wrong is found before the fit.
    options_ = runs::options_with_files(request_);
    const RestoreOptions resolved = resolve(request_.task, options_);
    make_engine(resolved.engine.value());
    check_outputs(request_, resolved, store_, record != nullptr);
    if (Film::is_meant_by(request_.out.snapshots)) film_.emplace();
    const RunInputs& in = request_.in;
    runs::Pictures pictures = runs::read_pictures(in, resolved, !request_.out.result.empty());
    input_ = std::move(pictures.input);
    result_.input = facts_of(input_);
    if (!request_.out.result.empty()) check_holds(request_.out.result, result_.input);
    mask_ = std::move(pictures.mask);
    if (pictures.known) options_.known = pictures.known;
    const int iterations =
        most_iterations(request_.task, input_, mask_.empty() ? nullptr : &mask_, options_);
    keep_every_ = request_.cadence.keep_every > 0
                      ? request_.cadence.keep_every
                      : (iterations + kKeptPictures - 1) / kKeptPictures;
    if (!request_.out.report.empty() || store_) frames_.emplace(iterations);
    if (!in.reference.empty())
      reference_ = read_like(
          input_, in.reference,
          runs::enlarged_region(runs::reading_of(in, in.reference), options_.factor.value_or(1)));
    if (record) load();
  }

  RunResult go() {
    result_.restored = restore();
    result_.output = facts_of(result_.restored.image);
    observer_.writing();
    write();
    observer_.finished(request_, result_);
    return std::move(result_);
  }

 private:
  Restored restore() {
    RestoreContext context;
    context.reference = reference_ptr();
    context.cancel = stop_;
    context.resume = state_;
    context.on_start = [&](const Restored& start) { begin(start); };
    if (frames_) context.on_scene = [&](const FitScene& scene) { frames_->watch(scene); };
    context.on_iteration = [&](const FitProgress& progress) { observe(progress); };
    context.on_filter = [&](double share) { observer_.filtered(share); };
    context.on_first_result = [&](const Candidate& first) { write_first(first); };
    if (!request_.out.snapshots.empty()) {
      context.preview_every = request_.cadence.snapshot_every;
      context.on_preview = [&](int iteration, const Image& preview) {
        beside_("`snapshots`", [&] { snap(iteration, preview); });
      };
    }
    const Image* mask = mask_.empty() ? nullptr : &mask_;
    return unmar::restore(request_.task, input_, mask, options_, context);
  }

  void begin(const Restored& start) {
    if (record_ && record_->engine.description != start.engine.description)
      observer_.warned(
          fmt::format("the run was begun with {}, now it is {}: the result may differ in its last "
                      "bits",
                      record_->engine.description, start.engine.description));
    if (store_ && !record_)
      store_->begin({.request = request_,
                     .resolved = start.options,
                     .engine = start.engine,
                     .started = result_.started,
                     .version = version(),
                     .moved = {}});
    watchers_ = watchers_of(start.options);
    last_checkpoint_ = last_flush_ = Clock::now();
    observer_.started({.request = request_,
                       .input = result_.input,
                       .start = start,
                       .resumed = record_ != nullptr,
                       .has_checkpoint = !state_.empty()});
    runs::warn_of_file(observer_, request_.in.mask, mask_);
    runs::warn_of_file(observer_, request_.in.reference, reference_);
  }

  void observe(const FitProgress& progress) {
    if (!progress.cancelled) {
      observer_.progressed(progress);
      if (frames_) frames_->observe(progress);
    }
    if (store_) beside_("`run`", [&] { keep(progress); });
  }

  void keep(const FitProgress& progress) {
    if (progress.cancelled) return save(progress);
    const HistoryRow& row = progress.row;
    store_->append(row, watchers_);
    if (row.iteration % keep_every_ == 0 && !row.rolled_back)
      store_->keep(row.iteration, progress.average.empty() ? progress.restored : progress.average);
    if (seconds_since(last_checkpoint_) >= request_.cadence.checkpoint_seconds) save(progress);
    if (seconds_since(last_flush_) >= kFlushSeconds) flush();
  }

  void flush() {
    store_->flush();
    last_flush_ = Clock::now();
  }

  /// There is something to look at long before the end; not in place of what came in, which only
  /// the end of the run replaces.
  void write_first(const Candidate& first) {
    const fs::path& result = request_.out.result;
    bool writes = !result.empty() && !is_input(request_.in, result);
    if (writes)
      beside_("the first result", [&] {
        writes = false;
        write_image(result, first.image, request_.out.writing);
        writes = true;
      });
    observer_.first_result(first, writes);
  }

  void snap(int iteration, const Image& preview) {
    const fs::path& where = request_.out.snapshots;
    if (film_)
      film_->offer(iteration / request_.cadence.snapshot_every - 1,
                   fmt::format("after {}", iteration), preview);
    else  // a folder; the pictures have the type of the result
      write_image(where / (fmt::format("iteration_{:06}", iteration) +
                           request_.out.result.extension().string()),
                  preview, request_.out.writing);
  }

  /// The state of the fit comes last.
  void serialize(Archive& archive) {
    const std::string own = sha256(store_->record_text());
    std::string of = own;
    double seconds = earlier_seconds_ + seconds_since(start_);
    archive(of);
    archive.require(of == own, "it belongs to another run.json");
    archive(seconds);
    if (archive.reading()) earlier_seconds_ = seconds;
    if (film_) archive(*film_);
    archive(*frames_);
  }

  void save(const FitProgress& progress) {
    flush();
    write_checkpoint(store_->checkpoint(), "`run`", [&](Archive& archive) {
      serialize(archive);
      progress.save_to(archive);
    });
    last_checkpoint_ = Clock::now();
  }

  void load() {
    if (!fs::exists(store_->checkpoint())) return;  // interrupted before there was one
    checkpoint_.emplace(store_->checkpoint(), "resume");
    Archive archive(checkpoint_->payload(),
                    fmt::format("resume: '{}'", store_->checkpoint().string()));
    serialize(archive);
    state_ = archive.take_rest();
  }

  const Image* reference_ptr() const {
    return request_.in.reference.empty() ? nullptr : &reference_;
  }

  void write() {
    const RunOutputs& out = request_.out;
    const Restored& restored = result_.restored;
    if (!out.result.empty())
      write_pages(out.result, {restored.image}, request_.in.picture, out.writing);
    beside_.result_is_written();
    result_.seconds = earlier_seconds_ + seconds_since(start_);
    if (!out.history.empty())
      beside_("`history`",
              [&] { write_text(out.history, history_csv(restored.fit), "`history`"); });
    if (film_)
      beside_("`snapshots`", [&] {
        film_->write(out.snapshots, fmt::format("the result, of {}", restored.fit.best_iteration),
                     restored.image);
      });
    // What is kept must mean the same from everywhere.
    const FitRequest told = store_ ? with_absolute_paths(request_) : request_;
    std::function<std::string(const std::string&)> report;
    if (frames_) report = [&](const std::string& manifest) { return report_of(told, manifest); };
    const RunDocuments documents = write_documents(told, result_, beside_, report);
    if (store_) beside_("`run`, its end", [&] { finish_store(documents); });
  }

  std::string report_of(const FitRequest& told, const std::string& manifest) const {
    return report_json({.task = request_.task,
                        .input = request_.in.picture.filename().string(),
                        .command = command_line(told),
                        .summary = summary(request_, result_),
                        .manifest = manifest,
                        .restored = result_.restored,
                        .output = result_.output,
                        .after = result_.restored.image,
                        .reference = reference_ptr(),
                        .frames = &*frames_});
  }

  void finish_store(const RunDocuments& documents) {
    const FitResult& fit = result_.restored.fit;
    if (!fit.best.empty()) store_->keep(fit.best_iteration, fit.best);
    write_text(store_->history(), history_csv(fit), "`run`");
    write_text(store_->report(), documents.report, "`run`");
    write_text(store_->manifest(), documents.manifest, "`run`");
    if (fit.stopped_by != StoppedBy::cancelled) fs::remove(store_->checkpoint());
  }

  const FitRequest& request_;
  RunStore* store_;
  const RunRecord* record_;
  RunObserver& observer_;
  const std::stop_token stop_;
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  RestoreOptions options_;
  int keep_every_ = 1;
  Image input_, mask_, reference_;
  std::vector<std::string> watchers_;
  std::optional<Film> film_;
  std::optional<FrameRecorder> frames_;
  std::optional<Checkpoint> checkpoint_;
  std::string_view state_;  ///< of the fit, in checkpoint_
  Clock::time_point last_checkpoint_, last_flush_;
  runs::Beside beside_{[this](const std::string& text) { observer_.warned(text); }};
  RunResult result_;
};

}  // namespace

RunResult run(const FitRequest& request, RunStore* store, RunObserver& observer,
              std::stop_token stop) {
  if (runs::tile_count(request) > 1)
    return runs::run_tiled(request, {.store = store}, observer, stop);
  return Run(request, store, nullptr, observer, std::move(stop)).go();
}

RunResult resume(RunStore& store, const ResumeChanges& changes, RunObserver& observer,
                 std::stop_token stop) {
  const RunRecord record = store.take_up();
  const std::string folder = store.folder().string();
  if (store.is_finished())
    fail(ErrorCode::bad_argument,
         "resume: the run in '{}' is finished; 'unmar pick' takes another iteration of it", folder);
  if (record.version != version())
    fail(ErrorCode::unsupported,
         "resume: the run in '{}' was begun by unmar {}, this is {}; go on with the version that "
         "began it",
         folder, record.version, version());
  for (const std::string& what : record.moved) observer.warned(what);
  FitRequest request = record.request;
  changes.apply(request.options);
  if (runs::tile_count(request) > 1)
    return runs::run_tiled(request, {.store = &store, .record = &record}, observer, stop);
  return Run(request, &store, &record, observer, std::move(stop)).go();
}

Image pick(const RunStore& store, int iteration, std::optional<double> strength,
           RunObserver* observer) {
  const RunRecord record = store.read_record();
  for (const std::string& what : record.moved)
    if (observer) observer->warned(what);
  const RunInputs& in = record.request.in;
  RestoreOptions options = record.resolved;
  if (strength)
    set_option(options, record.request.task, option_spec("strength"), OptionValue(*strength));
  const runs::Pictures pictures = runs::read_pictures(in, options);
  if (!in.blur.empty()) options.blur_kernel = runs::kernel_of(in);
  if (pictures.known) options.known = pictures.known;
  Image image = finish_moment(record.request.task, pictures.input, pictures.mask_ptr(), options,
                              store.picture(iteration));
  if (record.request.out.writing.strip) image.source.metadata = nullptr;
  return image;
}

}  // namespace unmar
