#pragma once

#include <filesystem>

#include "unmar/image/pages.h"
#include "unmar/runs/request.h"

namespace unmar {

/// Files beside the picture may have one page for all of its pages, or as many.
inline ReadOptions reading_of(const RunInputs& in, const std::filesystem::path& path) {
  ReadOptions reading = in.reading;
  if (reading.page > 1 && count_pages(path) == 1) reading.page = 1;
  return reading;
}

}  // namespace unmar
