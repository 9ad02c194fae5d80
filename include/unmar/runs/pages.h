#pragma once

#include <stop_token>
#include <string_view>
#include <vector>

#include "unmar/runs/run.h"

/// Runs over the pages of one file.
namespace unmar {

/// "3", "2..5" or "all" of so many pages, as their numbers. Empty text: the only one; throws
/// Error{bad_argument}, which names the choice, if there are several, and for other texts.
std::vector<int> chosen_pages(std::string_view text, const std::filesystem::path& file);

struct PagesResult {
  std::vector<int> pages = {};
  int restored = 0;  ///< the one that a stop ended early among them
  std::vector<int> kept =
      {};  ///< pages that are in the result as they came (upscale: enlarged only)
  bool cancelled = false;
  bool failed = false;  ///< some pages, or tiles of one, stay because they could not be restored
};

/// Restores page after page, as run() does with each alone, and writes all of them into
/// request.out.result. After a requested stop, the pages that were not begun are written as they
/// came, as are those that fail. observer: hears of each page, with RunObserver::page() before.
/// throws Error{bad_argument} if other outputs are asked for, and what run() throws if no page can
/// be restored.
PagesResult run_pages(const FitRequest& request, const std::vector<int>& pages,
                      RunObserver& observer, std::stop_token stop = {});

}  // namespace unmar
