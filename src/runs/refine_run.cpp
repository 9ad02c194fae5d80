#include "unmar/runs/refine_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "runs/beside.h"
#include "runs/outputs.h"
#include "runs/pictures.h"
#include "runs/record.h"
#include "runs/refine_facts.h"
#include "runs/refine_record.h"
#include "runs/tiled_refine.h"
#include "runs/tiled_run.h"
#include "unmar/base/checksum.h"
#include "unmar/base/files.h"
#include "unmar/base/process.h"
#include "unmar/diffusion/weights.h"
#include "unmar/runs/store.h"
#include "unmar/tasks/version.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using runs::RefineRecord;

void check(const RefineRequest& request) {
  const auto refuse = [](const char* what) { fail(ErrorCode::bad_argument, "refine: {}", what); };
  const bool needs_mask = task_info(request.task).needs_mask;
  if (!needs_mask && !request.in.mask.empty()) refuse("only `task` inpaint has a `mask`");
  const bool has_files = !(request.prior_file.empty() && request.save_prior.empty());
  if (request.options.from == StartFrom::noise && has_files)
    refuse("with `prior` none there is no prior to read or save");
}

/// Values as they are, so that --prior-file gives the same again.
void save_prior(const fs::path& path, Image prior) {
  prior.source = {};
  prior.source.format = SampleFormat::f32;  // or the most that the file type holds
  prior.source.range = {0, 1};
  write_image(path, prior);
}

/// Tells a refinement's observer of its tiles.
class TilesObserver : public RunObserver {
 public:
  TilesObserver(const RefineRequest& request, RefineObserver& observer)
      : request_(request), observer_(observer) {}
  void started(const RunStart& start) override { observer_.tiles_started(request_, start); }
  void tiled(const TileProgress& progress) override { observer_.tiled(progress); }
  void warned(const std::string& text) override { observer_.warned(text); }
  void writing() override { observer_.writing(); }

 private:
  const RefineRequest& request_;
  RefineObserver& observer_;
};

class RefineRun {
 public:
  /// record: what it was begun with, if it is resumed, else null.
  RefineRun(const RefineRequest& request, const fs::path& folder, const RefineRecord* record,
            RefineObserver& observer, std::stop_token stop)
      : request_(request),
        folder_{folder},
        observer_(observer),
        stop_(std::move(stop)),
        options_(request.options),
        resolved_(resolve(request.task, request.options.restore)) {
    result_.started = record ? record->started : now_utc();
    check(request_);
    check_files(record != nullptr);
    model_ = read_diffusers(request_.model);
    fitting_ = runs::tiled_request_of(request_, model_.unet);
    in_tiles_ = runs::tile_count(fitting_) > 1;
    in_tiles_ ? open_tiles() : read_pictures();
    if (!request_.out.manifest.empty() || is_kept()) model_facts_ = runs::model_facts(request_);
    if (record) load();
    if (is_kept() && !record && !in_tiles_) begin();  // tiles begin when all was found good
    observer_.started(request_, !state_.empty());
    warn_of_files();
    if (record)
      for (const std::string& what : record->moved) observer_.warned(what);
  }

  RefineRunResult go() {
    in_tiles_ ? refine_tiles() : refine_whole();
    observer_.finished(request_, result_);
    return std::move(result_);
  }

 private:
  void refine_whole() {
    RefineContext context;
    context.restore.reference = reference_.empty() ? nullptr : &reference_;
    context.restore.cancel = stop_;
    context.restore.resume = state_;
    context.prior = prior_.empty() ? nullptr : &prior_;
    context.restore.on_iteration = [&](const FitProgress& p) { observe(p); };
    context.on_chain = [&](const Refined& r) { observer_.chain_started(r); };
    context.on_step = [&](const SampleProgress& p) { observer_.stepped(p); };
    result_.refined = refine(request_.task, result_.input, pictures_.mask_ptr(), std::move(model_),
                             options_, context);
    observer_.writing();
    write_image(request_.out.result, result_.refined.image, request_.out.writing);
    beside_.result_is_written();
    if (!request_.save_prior.empty())
      beside_("`save_prior`", [&] { save_prior(request_.save_prior, result_.refined.prior); });
    write_manifest();
  }

  void refine_tiles() {
    TilesObserver observer(request_, observer_);
    runs::TiledRunContext context;
    if (is_kept()) context.folder = folder_.tiles();
    context.resumed = lock_.has_value();
    if (is_kept() && !lock_) context.on_begin = [&] { begin(); };
    context.restorer = refinement_.refiner.get();
    result_.tiled = runs::run_tiled(fitting_, context, observer, stop_);
    const Restored& restored = result_.tiled->restored;
    Refined& refined = result_.refined;
    refined.options = refinement_.refiner->options();
    refined.values = restored.values;
    refined.cancelled =
        restored.fit.stopped_by == StoppedBy::cancelled && !result_.tiled->tiling->failed;
    refined.psnr = restored.psnr;
    refined.ssim = restored.ssim;
    refined.psnr_input = restored.psnr_input;
    refined.ssim_input = restored.ssim_input;
    beside_.result_is_written();
    write_manifest();
  }

  void read_pictures() {
    const RunInputs& in = request_.in;
    pictures_ = runs::read_pictures(in, resolved_);
    if (pictures_.known) options_.restore.known = pictures_.known;
    result_.input = std::move(pictures_.input);
    if (!request_.prior_file.empty())
      prior_ = read_image(request_.prior_file, runs::reading_of_prior(request_));
    if (!in.reference.empty())
      reference_ = read_like(
          result_.input, in.reference,
          runs::enlarged_region(runs::reading_of(in, in.reference), resolved_.factor.value_or(1)));
  }

  void open_tiles() {
    if (!request_.save_prior.empty())
      fail(ErrorCode::bad_argument,
           "`save_prior`: the picture is refined in tiles; 'unmar {}' alone writes what the fits "
           "make of it, or add `tile` none",
           to_string(request_.task));
    const fs::path work = runs::working_folder(request_.out.result);
    refinement_ = runs::open_refinement(request_, std::move(model_), work);
  }

  bool is_kept() const { return !folder_.path.empty(); }

  void check_files(bool resumed) const {
    check_writable(request_.out.result);
    if (!request_.save_prior.empty()) check_writable(request_.save_prior);
    if (!request_.out.manifest.empty()) check_text_writable(request_.out.manifest, "`manifest`");
    if (is_kept()) check_inputs_stay();
    std::error_code error;
    if (is_kept() && !resumed && fs::exists(folder_.record(), error))
      fail(ErrorCode::bad_argument,
           "`run`: '{}' holds a refinement already; go on with it by 'unmar resume', or choose "
           "another folder",
           folder_.path.string());
    if (is_kept() && !resumed) RunStore(folder_.path, "`run`").require_free();
  }

  void check_inputs_stay() const {
    for (const fs::path& out : {request_.out.result, request_.save_prior}) {
      std::error_code error;
      const fs::path& prior = request_.prior_file;
      const bool is_prior = !prior.empty() && fs::equivalent(prior, out, error) && !error;
      if (is_prior || is_input(request_.in, out))
        fail(ErrorCode::bad_argument,
             "`run`: the result would replace '{}', which resuming reads again; name another file",
             out.string());
    }
  }

  void warn_of_files() {
    const RunInputs& in = request_.in;
    runs::warn_of_file(observer_, in.picture, result_.input);
    runs::warn_of_file(observer_, in.mask, pictures_.mask);
    runs::warn_of_file(observer_, in.reference, reference_);
    runs::warn_of_file(observer_, request_.prior_file, prior_);
    if (const auto& prior = refinement_.prior)
      if (const std::string warning = prior->facts().source.warning; !warning.empty())
        observer_.warned(request_.prior_file.string() + ": " + warning);
  }

  void begin() {
    prepare_folder(folder_.path, "`run`");
    lock_.emplace(folder_.path, "`run`");
    record_ = runs::to_json(RefineRecord{
        .request = request_, .started = result_.started, .version = version(), .moved = {}});
    write_text(folder_.record(), record_, "`run`");
  }

  void load() {
    lock_.emplace(folder_.path, "resume");
    remove_remains(folder_.path);
    remove_remains(folder_.tiles());
    record_ = read_text(folder_.record(), "resume");
    std::error_code error;
    if (!fs::exists(folder_.checkpoint(), error)) return;  // interrupted before there was one
    checkpoint_.emplace(folder_.checkpoint(), "resume");
    Archive archive(checkpoint_->payload(),
                    fmt::format("resume: '{}'", folder_.checkpoint().string()));
    serialize(archive);
    state_ = archive.take_rest();
  }

  /// The state of the fit comes last.
  void serialize(Archive& archive) {
    const std::string own = sha256(record_);
    std::string of = own;
    double seconds = earlier_seconds_ + seconds_since(start_);
    archive(of);
    archive.require(of == own, "it belongs to another refine.json");
    archive(seconds);
    if (archive.reading()) earlier_seconds_ = seconds;
  }

  void observe(const FitProgress& progress) {
    if (!progress.cancelled) observer_.progressed(progress);
    const bool is_due = progress.cancelled ||
                        seconds_since(last_checkpoint_) >= request_.cadence.checkpoint_seconds;
    if (is_kept() && is_due) save(progress);
  }

  /// What cannot be kept costs that, not the fit.
  void save(const FitProgress& progress) {
    beside_("`run`", [&] {
      write_checkpoint(folder_.checkpoint(), "`run`", [&](Archive& archive) {
        serialize(archive);
        progress.save_to(archive);
      });
    });
    last_checkpoint_ = Clock::now();
  }

  void write_manifest() {
    result_.seconds = earlier_seconds_ + seconds_since(start_);
    if (request_.out.manifest.empty() && !is_kept()) return;
    beside_("`manifest`", [&] {
      const std::string manifest = runs::manifest_json(request_, result_, model_facts_);
      if (!request_.out.manifest.empty()) write_text(request_.out.manifest, manifest, "`manifest`");
      if (!is_kept()) return;
      write_text(folder_.manifest(), manifest, "`run`");
      if (!result_.refined.cancelled) fs::remove(folder_.checkpoint());
    });
  }

  const RefineRequest& request_;
  const RefineFolder folder_;
  RefineObserver& observer_;
  const std::stop_token stop_;
  RefineOptions options_;          ///< with the region's mask
  const RestoreOptions resolved_;  ///< throws for wrong options before anything is read
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  runs::Pictures pictures_;
  Image prior_, reference_;
  DiffusersModel model_;
  FitRequest fitting_;  ///< the fits alone
  bool in_tiles_ = false;
  runs::TileRefinement refinement_;  ///< in tiles
  Json model_facts_;
  std::optional<FolderLock> lock_;
  std::string record_;  ///< refine.json, which the checkpoint belongs to
  std::optional<Checkpoint> checkpoint_;
  std::string_view state_;  ///< of the fit, in checkpoint_
  Clock::time_point last_checkpoint_ = Clock::now();
  runs::Beside beside_{[this](const std::string& text) { observer_.warned(text); }};
  RefineRunResult result_;
};

}  // namespace

RefineRunResult run(const RefineRequest& request, const fs::path& folder, RefineObserver& observer,
                    std::stop_token stop) {
  return RefineRun(request, folder, nullptr, observer, std::move(stop)).go();
}

RefineRunResult resume_refine(const fs::path& path, const ResumeChanges& changes,
                              RefineObserver& observer, std::stop_token stop) {
  const RefineFolder folder{path};
  const std::string text = read_text(folder.record(), "resume");
  const RefineRecord record =
      runs::read_refine_record(fs::absolute(folder.record()), text, "resume");
  std::error_code error;
  if (fs::exists(folder.manifest(), error) &&
      runs::came_to_its_end(read_text(folder.manifest(), "resume")))
    fail(ErrorCode::bad_argument, "resume: the refinement in '{}' is finished", path.string());
  if (record.version != version())
    fail(ErrorCode::unsupported,
         "resume: the refinement in '{}' was begun by unmar {}, this is {}; go on with the version "
         "that began it",
         path.string(), record.version, version());
  RefineRequest request = record.request;
  changes.apply(request.options.restore);
  return RefineRun(request, path, &record, observer, std::move(stop)).go();
}

}  // namespace unmar
