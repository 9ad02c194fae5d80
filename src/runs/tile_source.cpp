#include "runs/tile_source.h"

#include "runs/pictures.h"
#include "tasks/mask.h"

namespace unmar::runs {

TileSource open_tiles(const FitRequest& request, const std::filesystem::path& folder) {
  TileSource source;
  const RunInputs& in = request.in;
  source.options = options_with_files(request);
  const RestoreOptions resolved = resolve(request.task, source.options);
  Image mask;
  if (!in.mask.empty()) {
    mask = read_mask(in.mask, reading_of(in, in.mask));
    source.held_known = std::make_unique<const Image>(known_pixels(mask, resolved));
    source.known = parts_of(*source.held_known);
  }
  source.picture = open_parts(in.picture, reading_of_picture(in), folder, source.known.get());
  if (!task_info(request.task).needs_mask) return source;
  const Image* given = in.mask.empty() ? nullptr : &mask;
  auto known = std::make_unique<const Image>(mask_of(*source.picture, given, resolved));
  if (source.known) return source;  // which is the same
  source.held_known = std::move(known);
  source.known = parts_of(*source.held_known);
  return source;
}

}  // namespace unmar::runs
