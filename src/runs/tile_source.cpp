#include "runs/tile_source.h"

#include "runs/pictures.h"
#include "tasks/mask.h"

namespace unmar::runs {

TileSource open_tiles(const FitRequest& request, const std::filesystem::path& folder) {
  TileSource source;
  const RunInputs& in = request.in;
  source.options = options_with_files(request);
  RestoreOptions resolved = resolve(request.task, source.options);
  if (!in.mask.empty()) {
    const ReadOptions reading = without_region(reading_of(in, in.mask));
    const Image mask = read_mask(in.mask, reading);
    source.mask_warning = mask.source.warning;
    source.file_known = std::make_unique<const Image>(known_pixels(mask, resolved));
    source.file_parts = parts_of(*source.file_known);
  }
  source.picture = open_parts(in.picture, reading_of_picture(in), folder, source.file_parts.get());
  if (!task_info(request.task).needs_mask) return source;
  if (source.file_known) {
    const auto& r = in.reading.region;
    resolved.known = std::make_shared<const Image>(
        r ? crop(*source.file_known, r->y, r->x, r->height, r->width) : *source.file_known);
  }
  source.held_known = std::make_unique<const Image>(mask_of(*source.picture, nullptr, resolved));
  source.known = parts_of(*source.held_known);
  return source;
}

}  // namespace unmar::runs
