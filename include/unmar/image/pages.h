#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "unmar/image/image.h"

/// Files of several pictures: stacks of TIFF (ImageJ's and OME's, scans), animations of WebP, FITS
/// with image extensions. Pages are counted from 1 on.
namespace unmar {

struct PageInfo {
  ImageInfo image;
  std::string name;      ///< EXTNAME of FITS, PageName of TIFF; empty: it has none
  int milliseconds = 0;  ///< how long a frame is shown; 0: it is none
};

/// Reduced copies and masks that TIFF keeps beside its pictures do not count; nor do tables and
/// empty headers of FITS. throws as read_image_info().
int count_pages(const std::filesystem::path& path);
std::vector<PageInfo> list_pages(const std::filesystem::path& path);

/// Writes pictures as the pages of one file, .tif, .tiff, .webp, .fits or .fit, each with its own
/// metadata. `like`: the file that they came from; where all its pages are written into its own
/// type, what it holds beside them stays (tables of FITS, times of an animation), and else what it
/// tells of their number is adapted.
/// One page may go into a file of any type.
/// throws as write_image(), Error{bad_argument} for other types and for frames of different sizes.
void write_pages(const std::filesystem::path& path, const std::vector<Image>& pages,
                 const std::filesystem::path& like, const WriteOptions& options = {});

/// Throws the error that write_pages() would throw for the path alone.
void check_holds_pages(const std::filesystem::path& path);

}  // namespace unmar
