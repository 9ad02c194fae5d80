#include "unmar/runs/pages.h"

#include <fmt/format.h>

#include <charconv>
#include <exception>
#include <new>

#include "base/fail.h"
#include "unmar/image/pages.h"

namespace unmar {
namespace {

/// Passes on what is heard of one page; the files are written behind the last.
class PageObserver : public RunObserver {
 public:
  explicit PageObserver(RunObserver& all) : all_(all) {}
  void started(const RunStart& start) override { all_.started(start); }
  void filtered(double share) override { all_.filtered(share); }
  void first_result(const Candidate& first, bool written) override {
    all_.first_result(first, written);
  }
  void progressed(const FitProgress& progress) override { all_.progressed(progress); }
  void tiled(const TileProgress& progress) override { all_.tiled(progress); }
  void warned(const std::string& text) override { all_.warned(text); }
  void finished(const FitRequest& request, const RunResult& result) override {
    all_.finished(request, result);
  }

 private:
  RunObserver& all_;
};

void check_alone(const FitRequest& request) {
  const RunOutputs& out = request.out;
  for (const auto& [name, asked] : {std::pair{"`history`", !out.history.empty()},
                                    {"`manifest`", !out.manifest.empty()},
                                    {"`report`", !out.report.empty()},
                                    {"`snapshots`", !out.snapshots.empty()}})
    if (asked)
      fail(ErrorCode::bad_argument, "{}: tells of one picture; take one `page`, or leave it out",
           name);
}

const char* text_of(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) ? "not enough memory" : error.what();
}

int page_number(std::string_view text, std::string_view all) {
  int number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size() || number < 1)
    fail(ErrorCode::bad_argument, "`page` must be a number, FIRST..LAST or all, got '{}'", all);
  return number;
}

}  // namespace

std::vector<int> chosen_pages(std::string_view text, const std::filesystem::path& file) {
  const int count = count_pages(file);
  if (text.empty() && count > 1)
    fail(ErrorCode::bad_argument,
         "'{}' holds {} pages; say which: `page` N, `page` FIRST..LAST or `page` all ('unmar info' "
         "lists them)",
         file.string(), count);
  int first = 1, last = count;
  if (!text.empty() && text != "all") {
    const std::size_t dots = text.find("..");
    first = page_number(text.substr(0, dots), text);
    last = dots == text.npos ? first : page_number(text.substr(dots + 2), text);
  }
  if (last < first || last > count)
    fail(ErrorCode::bad_argument, "`page` {}: '{}' has {}", text, file.string(),
         count == 1 ? "one page" : fmt::format("pages 1 to {}", count));
  std::vector<int> pages;
  for (int page = first; page <= last; ++page) pages.push_back(page);
  return pages;
}

PagesResult run_pages(const FitRequest& request, const std::vector<int>& pages,
                      RunObserver& observer, std::stop_token stop) {
  check_alone(request);
  check_writable(request.out.result);
  check_holds_pages(request.out.result);
  PagesResult result{.pages = pages};
  PageObserver each(observer);
  std::vector<Image> images;
  std::exception_ptr failure;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    FitRequest one = request;
    one.in.reading.page = pages[i];
    one.out.result.clear();
    if (!result.cancelled) {
      observer.page(static_cast<int>(i) + 1, static_cast<int>(pages.size()));
      try {
        RunResult run = unmar::run(one, nullptr, each, stop);
        // A tile that failed leaves a picture unfinished, too, but nobody asked for an end.
        const bool failed = run.tiling && run.tiling->failed;
        result.failed = result.failed || failed;
        result.cancelled = run.restored.fit.stopped_by == StoppedBy::cancelled &&
                           (!failed || stop.stop_requested());
        images.push_back(std::move(run.restored.image));
        ++result.restored;
        continue;
      } catch (const std::exception& error) {  // also of memory that a large page lacks
        if (!failure) failure = std::current_exception();
        const auto* own = dynamic_cast<const Error*>(&error);
        result.cancelled = own && own->code() == ErrorCode::cancelled;
        result.failed = result.failed || !result.cancelled;
        if (!result.cancelled)
          observer.warned(fmt::format("page {} stays as it is: {}", pages[i], text_of(error)));
      }
    }
    try {
      Image image = read_image(one.in.picture, one.in.reading);
      if (request.task == Task::upscale && request.options.factor)
        image = enlarge_bicubic(image, *request.options.factor);
      images.push_back(std::move(image));
      result.kept.push_back(pages[i]);
    } catch (const std::exception& error) {  // what is restored must not be lost for it
      result.failed = true;
      observer.warned(fmt::format("page {} is left out: {}", pages[i], text_of(error)));
    }
  }
  if (failure && result.restored == 0) std::rethrow_exception(failure);
  observer.writing();
  if (images.empty()) fail(ErrorCode::io, "no page could be restored or read");
  write_pages(request.out.result, images, request.in.picture, request.out.writing);
  return result;
}

}  // namespace unmar
