#include "fuzz/pictures.h"
#include "unmar/tasks/tasks.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() { return picture_seeds(); }

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const auto path = fuzz::file_of(bytes, size);
  RestoreOptions painted, grown;
  painted.mask_colour = "FF0000";
  grown.invert_mask = true;
  grown.mask_grow = 2;
  grown.mask_feather = 3;
  return fuzz::try_each([&] {
    const Image mask = read_mask(path, fuzz::small());  // once: reading takes most of the time
    fuzz::try_each([&] { known_pixels(mask, {}); }, [&] { known_pixels(mask, painted); },
                   [&] { known_pixels(mask, grown); });
  });
}
