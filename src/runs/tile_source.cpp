#include "runs/tile_source.h"

#include "runs/pictures.h"
#include "tasks/mask.h"

namespace unmar::runs {

TileSource open_tiles(const FitRequest& request, const std::filesystem::path& folder) {
  TileSource source;
  const RunInputs& in = request.in;
  source.options = options_with_files(request);
  const RestoreOptions resolved = resolve(request.task, source.options);
  if (!in.mask.empty()) {
    const ReadOptions reading = mask_reading(without_region(reading_of(in, in.mask)));
    source.mask = open_parts(in.mask, reading, folder);
    source.mask_warning = source.mask->facts().source.warning;
    source.mask_known = known_by_mask(*source.mask, resolved);
  }
  source.picture = open_parts(in.picture, reading_of_picture(in), folder, source.mask_known.get());
  if (!task_info(request.task).needs_mask) return source;
  const PictureParts& picture = *source.picture;
  source.known =
      source.mask_known
          ? parts_within(*source.mask_known,
                         in.reading.region.value_or(Rect{0, 0, picture.height(), picture.width()}))
          : known_by_alpha(picture, resolved);
  check_known(*source.known, picture, source.mask_known != nullptr,
              resolved.invert_mask.value_or(false));
  return source;
}

}  // namespace unmar::runs
