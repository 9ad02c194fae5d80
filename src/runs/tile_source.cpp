#include "runs/tile_source.h"

#include "runs/pictures.h"
#include "tasks/mask.h"

namespace unmar::runs {

TileSource open_tiles(const FitRequest& request) {
  TileSource source;
  source.options = options_with_files(request);
  const RestoreOptions resolved = resolve(request.task, source.options);
  Pictures pictures = read_pictures(request.in, resolved, !request.out.result.empty());
  source.input = std::make_unique<Image>(std::move(pictures.input));
  source.picture = parts_of(*source.input);
  if (!task_info(request.task).needs_mask) return source;
  source.held_known =
      std::make_unique<Image>(mask_of(*source.input, pictures.mask_ptr(), resolved));
  source.known = parts_of(*source.held_known);
  return source;
}

}  // namespace unmar::runs
