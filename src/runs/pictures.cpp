#include "runs/pictures.h"

#include "unmar/tasks/tasks.h"

namespace unmar::runs {

Pictures read_pictures(const RunInputs& in, const RestoreOptions& resolved) {
  constexpr double kMostMissing = 0.5;  // of more, most of the picture would be made up
  ReadOptions reading = in.reading;
  reading.max_missing = kMostMissing;
  Pictures pictures;
  if (in.mask.empty()) {
    pictures.input = read_image(in.picture, reading);
    return pictures;
  }
  pictures.mask = read_mask(in.mask, in.reading);
  const Image known = known_pixels(pictures.mask, resolved);
  pictures.input = read_image(in.picture, reading, &known);
  return pictures;
}

ReadOptions reading_of_others(const ReadOptions& reading) {
  return {.max_megapixels = reading.max_megapixels};
}

}  // namespace unmar::runs
