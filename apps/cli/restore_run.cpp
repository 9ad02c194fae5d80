#include "restore_run.h"

#include <fmt/format.h>
#include <unmar/checksum.h>
#include <unmar/error.h>
#include <unmar/version.h>

#include <cstdio>

#include "clock.h"
#include "film.h"
#include "interrupt.h"
#include "output_file.h"
#include "progress.h"
#include "report.h"
#include "report_page.h"
#include "run_folder.h"
#include "run_record.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kKeptPictures = 40;

/// The options with the files they name.
RestoreOptions with_files(const RestoreArguments& a) {
  RestoreOptions options = a.options;
  if (!a.network_file.empty() && !options.custom_network)
    options.custom_network =
        network_from_json(read_text(a.network_file, "--network-file"), a.network_file.string());
  if (!a.guide.empty()) {
    if (!options.input) options.input = InputKind::guide;
    if (options.input == InputKind::guide)
      options.guide = std::make_shared<const Image>(a.pictures.read(a.guide));
  }
  return options;
}

bool is_input(const RestoreArguments& a, const fs::path& path) {
  std::error_code error;
  for (const fs::path& input : {a.input, a.mask, a.guide, a.reference})
    if (!input.empty() && fs::equivalent(input, path, error) && !error) return true;
  return false;
}

/// A long fit must not end in "cannot write".
void check_outputs(const RestoreArguments& a, bool resumed) {
  check_writable(a.output);
  if (!a.history.empty()) check_text_writable(a.history, "--history");
  if (!a.manifest.empty()) check_text_writable(a.manifest, "--manifest");
  if (!a.report.empty()) check_text_writable(a.report, "--report");
  if (!a.run.empty() && !resumed) {
    if (is_input(a, a.output))
      throw Error(ErrorCode::bad_argument,
                  fmt::format("--run: the result would replace '{}', which resuming and picking "
                              "read again; name another -o",
                              a.output.string()));
    RunFolder(a.run).require_free();
  }
  if (Film::is_meant_by(a.snapshots)) {
    check_text_writable(a.snapshots, "--snapshots");
    if (is_input(a, a.snapshots))
      throw Error(ErrorCode::bad_input,
                  fmt::format("--snapshots: '{}' is a picture that is read; name another file or a "
                              "folder",
                              a.snapshots.string()));
  } else if (!a.snapshots.empty()) {
    prepare_folder(a.snapshots, "--snapshots");
  }
}

/// The snapshots have the type of the result.
fs::path snapshot_name(const RestoreArguments& a, int iteration) {
  return a.snapshots / (fmt::format("iteration_{:06}", iteration) + a.output.extension().string());
}

/// The filter alone has no iterations to keep or to show.
void check_fits(const RestoreArguments& a, const RestoreOptions& resolved) {
  if (resolved.method != Method::patches) return;
  for (const auto& [name, path] : {std::pair{"--run", &a.run},
                                   {"--history", &a.history},
                                   {"--report", &a.report},
                                   {"--snapshots", &a.snapshots}})
    if (!path->empty())
      throw Error(ErrorCode::bad_argument,
                  fmt::format("{}: shows or keeps a fit, but --method patches has none; leave it "
                              "out or take --method auto",
                              name));
}

void announce(const RestoreArguments& a, const Image& input, const Restored& start) {
  if (a.quiet) return;
  const RestoreOptions& o = start.options;
  fmt::print(stderr, "{} {} ({})\n", to_string(a.task), a.input.string(), describe(input));
  if (start.noise) fmt::print(stderr, "{}\n", to_string(*start.noise));
  if (o.method == Method::patches) return;
  fmt::print(stderr, "{} preset: network {}, {} parameters, {}{}{} iterations, engine {}\n",
             to_text(option_spec("preset").get(o).value()), network_name(start.network),
             start.params, *o.runs > 1 ? fmt::format("the mean of {} fits, each ", *o.runs) : "",
             o.stop == StopRule::none ? "" : "at most ", *o.iterations, start.engine.name);
  if (a.task == Task::inpaint && !a.options.skip && o.skip == 0)
    fmt::print(stderr, "a large hole: as with --skip 0 --input meshgrid\n");
  fmt::print(stderr, "Ctrl-C stops and writes the best result so far\n");
}

/// One fit from its pictures to its files.
class Run {
 public:
  /// resumed: what the run was begun with, or null.
  Run(const RestoreArguments& arguments, const RunRecord* resumed)
      : a_(arguments), resumed_(resumed), started_(resumed ? resumed->started : now_utc()) {
    // Everything that can be wrong is found before the fit.
    options_ = with_files(a_);
    const RestoreOptions resolved = resolve(a_.task, options_);
    make_engine(resolved.engine.value());
    check_fits(a_, resolved);
    check_outputs(a_, resumed != nullptr);
    may_end_sooner_ = resolved.stop != StopRule::none;
    const int iterations = *resolved.runs * *resolved.iterations;
    keep_every_ = kept_every(a_, iterations);
    if (!a_.run.empty()) folder_.emplace(a_.run);
    if (Film::is_meant_by(a_.snapshots)) film_.emplace();
    if (!a_.report.empty()) moments_.emplace(*resolved.iterations);
    input_ = a_.pictures.read(a_.input);
    if (!a_.mask.empty()) mask_ = a_.pictures.read_mask(a_.mask);
    if (!a_.reference.empty()) reference_ = a_.pictures.read_like(input_, a_.reference);
    if (resumed) load();
  }

  int go() {
    const Restored restored = fit();
    interrupt_.hold_off();
    write(restored);
    return 0;
  }

 private:
  Restored fit() {
    RestoreContext context;
    context.reference = reference_ptr();
    context.cancel = interrupt_.token();
    context.resume = state_;
    context.on_start = [&](const Restored& start) { begin(start); };
    if (moments_) context.on_scene = [&](const FitScene& scene) { moments_->watch(scene); };
    context.on_iteration = [&](const FitProgress& progress) { observe(progress); };
    context.on_filter = [&](double share) { observe_filter(share); };
    context.on_first_result = [&](const Candidate& first) { write_first(first); };
    if (!a_.snapshots.empty()) {
      context.preview_every = a_.every;
      context.on_preview = [&](int iteration, const Image& preview) { snap(iteration, preview); };
    }
    Progress progress(to_string(a_.task), may_end_sooner_, a_.quiet);
    progress_ = &progress;
    try {
      Restored restored =
          restore(a_.task, input_, a_.mask.empty() ? nullptr : &mask_, options_, context);
      progress.finish();
      return restored;
    } catch (...) {
      progress.finish();
      throw;
    }
  }

  void begin(const Restored& start) {
    if (resumed_ && resumed_->engine.description != start.engine.description)
      fmt::print(stderr,
                 "note: the run was begun with {}, now it is {}: the result may differ in its last "
                 "bits\n",
                 resumed_->engine.description, start.engine.description);
    if (folder_ && !resumed_) {
      folder_->make();
      lock_.emplace(folder_->path());
      folder_->require_free();
      record_ = to_json({.arguments = a_,
                         .resolved = start.options,
                         .engine = start.engine,
                         .folder = fs::current_path(),
                         .started = started_,
                         .version = version()});
      write_text(folder_->record(), record_, "--run");
    }
    last_checkpoint_ = Clock::now();
    announce(a_, input_, start);
    if (resumed_ && !a_.quiet)
      fmt::print(stderr, "{}\n",
                 state_.empty() ? "there is no checkpoint yet: from the beginning"
                                : "going on from the checkpoint");
  }

  void observe(const FitProgress& progress) {
    interrupt_.poll();
    progress_->update(progress);
    if (moments_) moments_->observe(progress);
    if (!folder_) return;
    // A full disk in the middle costs what could not be kept, not the fit.
    try {
      if (progress.row.iteration % keep_every_ == 0 && !progress.row.rolled_back)
        folder_->keep(progress.row.iteration,
                      progress.average.empty() ? progress.restored : progress.average);
      const bool due = seconds_since(last_checkpoint_) >= a_.checkpoint_every;
      if (due || interrupt_.noted()) save(progress);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::io) throw;
      progress_->finish();
      if (!warned_) fmt::print(stderr, "warning: {}; the fit goes on\n", error.what());
      warned_ = true;
    }
  }

  void observe_filter(double share) {
    interrupt_.poll();
    if (share < last_share_) filter_start_ = Clock::now();
    last_share_ = share;
    progress_->update_share("patches", share, seconds_since(filter_start_));
  }

  /// There is something to look at long before the end; not in place of what came in, which only
  /// the end of the run replaces.
  void write_first(const Candidate& first) {
    progress_->finish();
    const bool writes = !is_input(a_, a_.output);
    if (writes) write_image(a_.output, first.image);
    if (a_.quiet) return;
    fmt::print(stderr, "patches: {:.1f} s{}{}; the fit goes on\n", first.seconds,
               first.psnr ? fmt::format(", PSNR {:.2f} dB", *first.psnr) : "",
               writes ? "; wrote " + a_.output.string() : "");
  }

  void snap(int iteration, const Image& preview) {
    if (film_)
      film_->offer(iteration / a_.every - 1, fmt::format("after {}", iteration), preview);
    else
      write_image(snapshot_name(a_, iteration), preview);
  }

  void serialize(Archive& archive) {
    std::string of = sha256(record_);
    double seconds = earlier_seconds_ + seconds_since(start_);
    archive(of);
    archive.require(of == sha256(record_), "it belongs to another run.json");
    archive(seconds, state_);
    if (archive.reading()) earlier_seconds_ = seconds;
    if (film_) archive(*film_);
    if (moments_) archive(*moments_);
  }

  void save(const FitProgress& progress) {
    state_ = progress.save();
    Archive archive;
    serialize(archive);
    state_ = {};
    folder_->save(archive.take());
    last_checkpoint_ = Clock::now();
  }

  void load() {
    record_ = read_text(folder_->record(), "resume");
    if (!fs::exists(folder_->checkpoint())) return;  // interrupted before there was one
    const std::string payload = folder_->load();
    Archive archive(payload, fmt::format("resume: '{}'", folder_->checkpoint().string()));
    serialize(archive);
    archive.expect_end();
  }

  const Image* reference_ptr() const { return a_.reference.empty() ? nullptr : &reference_; }

  void write(const Restored& restored) {
    write_image(a_.output, restored.image);
    if (!a_.history.empty()) write_text(a_.history, history_csv(restored.fit), "--history");
    if (film_)
      film_->write(a_.snapshots, fmt::format("the result, of {}", restored.fit.best_iteration),
                   restored.image);
    const double total = earlier_seconds_ + seconds_since(start_);
    const Report report{a_, restored, input_, total, started_};
    if (!a_.manifest.empty()) write_text(a_.manifest, manifest_json(report), "--manifest");
    if (moments_)
      write_text(a_.report, report_page(report, *moments_, reference_ptr()), "--report");
    if (folder_) finish_folder(report);
    if (!a_.quiet) fmt::print(stderr, "{}\n", summary(report));
    if (a_.json) fmt::print("{}\n", result_json(report));
  }

  void finish_folder(const Report& report) {
    const FitResult& fit = report.restored.fit;
    folder_->keep(fit.best_iteration, fit.best);
    write_text(folder_->history(), history_csv(fit), "--run");
    write_text(folder_->manifest(), manifest_json(report), "--run");
    if (fit.stopped_by != StoppedBy::cancelled)
      fs::remove(folder_->checkpoint());
    else if (!a_.quiet)
      fmt::print(stderr, "'unmar resume {}' goes on from here\n", a_.run.string());
  }

  const RestoreArguments& a_;
  const RunRecord* resumed_;
  const std::string started_;
  const Clock::time_point start_ = Clock::now();
  double earlier_seconds_ = 0;  ///< before the interruption
  RestoreOptions options_;
  bool may_end_sooner_ = false;
  int keep_every_ = 1;
  Image input_, mask_, reference_;
  Interrupt interrupt_;
  Progress* progress_ = nullptr;
  Clock::time_point filter_start_ = Clock::now();
  double last_share_ = 1;  ///< of the filter's work
  std::optional<Film> film_;
  std::optional<Moments> moments_;

  std::optional<RunFolder> folder_;
  std::optional<RunLock> lock_;
  std::string record_;  ///< the bytes of run.json
  std::string state_;   ///< of the fit
  Clock::time_point last_checkpoint_;
  bool warned_ = false;
};

}  // namespace

int kept_every(const RestoreArguments& arguments, int iterations) {
  if (arguments.keep_every > 0) return arguments.keep_every;
  return (iterations + kKeptPictures - 1) / kKeptPictures;
}

int run_restore(const RestoreArguments& arguments) { return Run(arguments, nullptr).go(); }

int resume_run(const RestoreArguments& arguments, const RunRecord& record) {
  return Run(arguments, &record).go();
}

}  // namespace unmar::cli
