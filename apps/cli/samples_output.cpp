#include "samples_output.h"

#include <fmt/format.h>
#include <unmar/base/files.h>
#include <unmar/runs/samples.h>

#include <CLI/CLI.hpp>

#include "checks.h"
#include "declaration.h"

namespace unmar::cli {
namespace {

bool is_folder(const std::filesystem::path& output) {
  std::error_code error;
  return !output.has_extension() || std::filesystem::is_directory(output, error);
}

}  // namespace

void SamplesOutput::check() const {
  if (is_folder(path))
    prepare_folder(path, "-o");
  else
    check_writable(path);
}

void SamplesOutput::write(const std::vector<Image>& pictures) const {
  if (!is_folder(path)) {
    write_image(path, sheet_of(pictures, columns, zoom));
    return;
  }
  for (std::size_t i = 0; i < pictures.size(); ++i)
    write_image(path / fmt::format("{:05}.png", i), sheet_of({pictures[i]}, 1, zoom, 0));
}

void declare_output(Declaration& d, SamplesOutput& output) {
  d.add("-o,--output", output.path, "OUT",
        "where to write all of them on one sheet; a name without extension is a folder for one "
        "file each")
      ->required();
}

void declare_sheet(Declaration& d, SamplesOutput& output) {
  d.group("Sheet");
  d.add("--columns", output.columns, "N", "pictures in a row (default about as many as rows)")
      ->check(whole_in_range(1, 1000));
  d.add("--zoom", output.zoom, "N", "how many times as large each pixel is (default 1)")
      ->check(whole_in_range(1, 32));
}

}  // namespace unmar::cli
