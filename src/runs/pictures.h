#pragma once

#include "unmar/runs/request.h"

namespace unmar::runs {

/// What a run looks at.
struct Pictures {
  Image input, mask;  ///< mask: empty if there is none
  /// In place of the mask, if only a region is looked at: the levels of a mask are judged as a
  /// whole.
  std::shared_ptr<const Image> known = {};

  const Image* mask_ptr() const { return mask.empty() ? nullptr : &mask; }
};

/// The mask comes first: what it discards counts neither for the range of the picture nor as NaN.
/// alone: the page becomes a file of its own, which is told of as one. resolved: of the task.
/// throws as read_image() and known_pixels().
Pictures read_pictures(const RunInputs& in, const RestoreOptions& resolved, bool alone = true);

/// [1,c,h,w] of the picture that is restored, or its region. Reads the head of its file.
Shape shape_of(const RunInputs& in);

/// How the picture of a run is read.
ReadOptions reading_of_picture(const RunInputs& in);
/// Tells what was wrong with the file of a picture, if anything was.
template <class Observer>
void warn_of_file(Observer& observer, const std::filesystem::path& path, const Image& image) {
  if (const std::string& warning = image.source.warning; !warning.empty())
    observer.warned(path.string() + ": " + warning);
}

ReadOptions without_region(ReadOptions reading);
/// Of a picture of the result's size, the part that belongs to the region: `factor` times as large.
ReadOptions enlarged_region(ReadOptions reading, int factor);
/// How a file beside the picture is read: it may have one page for all of the picture's, or as
/// many. Of the same region.
ReadOptions reading_of(const RunInputs& in, const std::filesystem::path& path);
/// The same for a picture whose values have nothing to do with those of the input.
ReadOptions reading_of_others(const RunInputs& in, const std::filesystem::path& path);

/// The picture of RunInputs::blur.
std::shared_ptr<const Image> kernel_of(const RunInputs& in);
/// The options with the files that the request names beside them.
RestoreOptions options_with_files(const FitRequest& request);

}  // namespace unmar::runs
