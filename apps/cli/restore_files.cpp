#include "restore_files.h"

#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/runs/job_list.h>
#include <unmar/runs/pages.h>

#include <map>
#include <new>

#include "console.h"

namespace unmar::cli {
namespace {

namespace fs = std::filesystem;

/// What only one picture can have.
void check_single(const FitRequest& common, bool has_store) {
  const RunOutputs& out = common.out;
  for (const auto& [name, asked] : {std::pair{"--run", has_store},
                                    {"--history", !out.history.empty()},
                                    {"--manifest", !out.manifest.empty()},
                                    {"--report", !out.report.empty()},
                                    {"--snapshots", !out.snapshots.empty()},
                                    {"--reference", !common.in.reference.empty()}})
    if (asked)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("{}: tells of one picture; give one IN, or leave it out", name));
}

/// The name of a result; what cannot be written becomes TIFF, which holds everything.
fs::path name_of_result(const fs::path& input) {
  fs::path name = input.filename();
  try {
    encode_image(Image(1, 1, 1), name.extension().string());
  } catch (const Error&) {
    name.replace_extension(".tif");
  }
  return name;
}

std::string list_of(const std::vector<int>& pages) {
  std::string text;
  for (const int page : pages) text += fmt::format("{}{}", text.empty() ? "" : ", ", page);
  return text;
}

void say_pages(const FitRequest& request, const PagesResult& result) {
  if (!result.kept.empty())
    say("page {} {} as {} came", list_of(result.kept), result.kept.size() == 1 ? "is" : "are",
        result.kept.size() == 1 ? "it" : "they");
  say("wrote {} ({} pages, {} restored)", request.out.result.string(), result.pages.size(),
      result.restored);
}

}  // namespace

bool RestoreFiles::into_folder() const {
  std::error_code error;
  const bool folder = output.extension().empty() && fs::is_directory(output, error);
  return inputs.size() > 1 || folder || !output.has_filename();
}

std::vector<FitRequest> requests_for(const RestoreFiles& files, const FitRequest& common,
                                     bool has_store) {
  std::error_code error;
  if (files.inputs.size() > 1) {
    check_single(common, has_store);
    const bool there = fs::exists(files.output, error);
    const bool like_a_file =
        there ? !fs::is_directory(files.output, error) : !files.output.extension().empty();
    if (like_a_file)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("-o: '{}' is a file, but {} pictures need a folder; name one that is "
                              "there, or end it in '/'",
                              files.output.string(), files.inputs.size()));
  }
  std::vector<FitRequest> requests;
  std::map<fs::path, fs::path> inputs_of;
  for (const fs::path& input : files.inputs) {
    FitRequest request = common;
    request.in.picture = input;
    request.out.result = files.into_folder() ? files.output / name_of_result(input) : files.output;
    const auto [other, fresh] = inputs_of.emplace(request.out.result, input);
    if (!fresh)
      throw Error(ErrorCode::bad_argument,
                  fmt::format("-o: '{}' and '{}' would both become '{}'; restore them into two "
                              "folders",
                              other->second.string(), input.string(), request.out.result.string()));
    if (files.into_folder() && fs::equivalent(input, request.out.result, error) && !error)
      throw Error(
          ErrorCode::bad_argument,
          fmt::format("-o: the result would replace '{}'; name another folder", input.string()));
    requests.push_back(std::move(request));
  }
  if (files.into_folder()) prepare_folder(files.output, "-o");
  return requests;
}

int restore_one(FitRequest request, const std::string& page, RunStore* store, bool quiet,
                FitConsole& console) {
  const std::vector<int> pages = chosen_pages(page, request.in.picture);
  if (pages.size() == 1) {
    request.in.reading.page = pages.front();
    const RunResult result = unmar::run(request, store, console, console.stop());
    return result.tiling && result.tiling->failed ? 1 : 0;
  }
  if (store)
    throw Error(ErrorCode::bad_argument,
                "--run: keeps one picture; take one --page, or leave it out");
  const PagesResult result = run_pages(request, pages, console, console.stop());
  if (!quiet) say_pages(request, result);
  return result.failed ? 1 : 0;
}

int plan_files(const fs::path& list, const std::vector<FitRequest>& requests,
               const std::string& page, bool quiet) {
  std::vector<FitRequest> pictures;
  for (const FitRequest& request : requests)
    for (const int number : chosen_pages(page, request.in.picture)) {
      pictures.push_back(request);
      pictures.back().in.reading.page = number;
    }
  const JobList jobs = plan_jobs(list, pictures);
  if (!quiet)
    say("wrote {}: {} pictures in {} tiles; 'unmar work {}' does them", list.string(),
        jobs.pictures.size(), jobs.tiles(), list.string());
  return 0;
}

int restore_all(const std::vector<FitRequest>& requests, const std::string& page, bool quiet,
                FitConsole& console) {
  std::size_t failed = 0, begun = 0;
  for (const FitRequest& request : requests) {
    if (console.stop().stop_requested()) break;
    console.file(static_cast<int>(++begun), static_cast<int>(requests.size()));
    try {
      if (restore_one(request, page, nullptr, quiet, console) != 0) ++failed;
    } catch (const std::bad_alloc&) {  // the next may need less
      ++failed;
      say("error: {}: not enough memory", request.in.picture.string());
    } catch (const std::exception& error) {
      ++failed;
      say("error: {}: {}", request.in.picture.string(), error.what());
    }
  }
  const std::size_t left = requests.size() - begun;
  if (!quiet)
    say("{} of {} pictures restored{}{}", begun - failed, requests.size(),
        failed > 0 ? fmt::format(", {} failed", failed) : "",
        left > 0 ? fmt::format(", {} not begun", left) : "");
  return failed + left > 0 ? 1 : 0;
}

}  // namespace unmar::cli
