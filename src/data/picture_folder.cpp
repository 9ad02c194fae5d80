#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <system_error>

#include "base/fail.h"
#include "unmar/data/dataset.h"
#include "unmar/image/image.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr int kLargestSize = 4096;

bool named_as_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 9> kKnown{".png",  ".jpg",  ".jpeg", ".webp", ".tif",
                                                   ".tiff", ".fits", ".fit",  ".fts"};
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::find(kKnown, extension) != kKnown.end();
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> paths;
  // Stepped with an error code: the range form throws an exception of its own.
  fs::recursive_directory_iterator i(folder, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && i != end; i.increment(error)) {
    std::error_code ignored;
    const bool hidden = i->path().filename().string().front() == '.';
    if (i->is_directory(ignored)) {
      if (hidden) i.disable_recursion_pending();
    } else if (!hidden && named_as_picture(i->path())) {
      paths.push_back(i->path());
    }
  }
  if (error)
    fail(ErrorCode::io, "read_picture_folder: cannot list '{}': {}", folder.string(),
         error.message());
  std::ranges::sort(paths);
  return paths;
}

void lay_over_background(Image& image, float background) {
  const auto& alpha = image.source.alpha;
  if (alpha.empty()) return;
  for (int c = 0; c < image.channels(); ++c) {
    const auto plane = image.plane(c);
    for (std::size_t i = 0; i < plane.size(); ++i)
      plane[i] = background + alpha[i] * (plane[i] - background);
  }
  image.source.alpha.clear();
}

/// Appends the picture's samples.
void append(std::vector<std::uint8_t>& samples, Image image, const PictureFolderOptions& options) {
  lay_over_background(image, options.background);
  if (options.gray) image = to_gray(image);
  const int side = std::min(image.height(), image.width());
  image = resized(crop(image, (image.height() - side) / 2, (image.width() - side) / 2, side, side),
                  options.size, options.size);
  for (int c = 0; c < (options.gray ? 1 : 3); ++c)
    for (const float v : image.plane(image.channels() == 3 ? c : 0))
      samples.push_back(static_cast<std::uint8_t>(std::lround(255.f * v)));
}

}  // namespace

Dataset read_picture_folder(const fs::path& folder, const PictureFolderOptions& options) {
  if (options.size < 1 || options.size > kLargestSize)
    fail(ErrorCode::bad_argument, "read_picture_folder: size must be 1 to {}, got {}", kLargestSize,
         options.size);
  if (!(options.background >= 0.f && options.background <= 1.f))
    fail(ErrorCode::bad_argument, "read_picture_folder: background must be in [0,1], got {}",
         options.background);
  Dataset set{options.gray ? 1 : 3, options.size, options.size, {}};
  for (const fs::path& path : pictures_in(folder)) try {
      append(set.samples, read_image(path), options);
    } catch (const Error& error) {
      if (set.left_out++ == 0) set.why = error.what();
    }
  if (set.samples.empty() && set.left_out > 0)
    fail(ErrorCode::bad_input,
         "read_picture_folder: none of the {} pictures of '{}' can be read, the first because: {}",
         set.left_out, folder.string(), set.why);
  if (set.samples.empty())
    fail(ErrorCode::bad_input,
         "read_picture_folder: '{}' holds no PNG, JPEG, WebP, TIFF or FITS picture",
         folder.string());
  return set;
}

}  // namespace unmar
