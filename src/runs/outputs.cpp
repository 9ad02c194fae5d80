#include "runs/outputs.h"

#include <utility>

#include "base/fail.h"
#include "unmar/base/files.h"
#include "unmar/report/report.h"
#include "unmar/runs/film.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

/// The filter alone has no iterations to keep or to show.
void check_method(const FitRequest& request, const RestoreOptions& resolved, bool kept) {
  if (resolved.method != Method::patches) return;
  const RunOutputs& out = request.out;
  for (const auto& [name, asked] : {std::pair{"`run`", kept},
                                    {"`history`", !out.history.empty()},
                                    {"`report`", !out.report.empty()},
                                    {"`snapshots`", !out.snapshots.empty()}})
    if (asked)
      fail(ErrorCode::bad_argument,
           "{}: shows or keeps a fit, but `method` patches has none; leave it out or take `method` "
           "auto",
           name);
}

}  // namespace

bool is_input(const RunInputs& in, const fs::path& path) {
  std::error_code error;
  for (const fs::path& input : {in.picture, in.mask, in.guide, in.blur, in.reference})
    if (!input.empty() && fs::equivalent(input, path, error) && !error) return true;
  return false;
}

void check_outputs(const FitRequest& request, const RestoreOptions& resolved, const RunStore* store,
                   bool resumed) {
  check_method(request, resolved, store != nullptr);
  const RunOutputs& out = request.out;
  if (!out.result.empty()) check_writable(out.result);
  if (!out.history.empty()) check_text_writable(out.history, "`history`");
  if (!out.manifest.empty()) check_text_writable(out.manifest, "`manifest`");
  if (!out.report.empty()) check_text_writable(out.report, "`report`");
  if (!out.preview.empty()) check_writable(out.preview);
  if (store && is_input(request.in, out.result))
    fail(ErrorCode::bad_argument,
         "`run`: the result would replace '{}', which resuming and picking read again; name "
         "another -o",
         out.result.string());
  if (store && !resumed) store->require_free();
  if (Film::is_meant_by(out.snapshots)) {
    check_text_writable(out.snapshots, "`snapshots`");
    if (is_input(request.in, out.snapshots))
      fail(ErrorCode::bad_input,
           "`snapshots`: '{}' is a picture that is read; name another file or a folder",
           out.snapshots.string());
  } else if (!out.snapshots.empty()) {
    prepare_folder(out.snapshots, "`snapshots`");
  }
}

RunDocuments write_documents(
    const FitRequest& told, const RunResult& result, runs::Beside& beside,
    const std::function<std::string(const std::string& manifest)>& report_of) {
  const RunOutputs& out = told.out;
  RunDocuments documents;
  auto& [manifest, report] = documents;
  if (out.manifest.empty() && !report_of) return documents;
  beside("the manifest", [&] { manifest = manifest_json(told, result); });
  if (manifest.empty()) return documents;
  if (!out.manifest.empty())
    beside("`manifest`", [&] { write_text(out.manifest, manifest, "`manifest`"); });
  if (report_of) beside("the report", [&] { report = report_of(manifest); });
  if (!out.report.empty() && !report.empty())
    beside("`report`", [&] { write_text(out.report, report_page(report), "`report`"); });
  return documents;
}

}  // namespace unmar
