#pragma once

#include <unmar/image/image.h>

#include <filesystem>
#include <vector>

namespace unmar::cli {

/// Where samples go: one sheet, or a folder with a file each.
struct SamplesOutput {
  std::filesystem::path path;
  int columns = 0, zoom = 1;  ///< of the sheet, as sheet_of() takes them

  void check() const;  ///< throws Error if nothing can be written there
  void write(const std::vector<Image>& pictures) const;
};

/// -o, and behind the options --columns and --zoom.
void declare_output(class Declaration& d, SamplesOutput& output);
void declare_sheet(class Declaration& d, SamplesOutput& output);

}  // namespace unmar::cli
