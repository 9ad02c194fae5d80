#include "fuzz/pictures.h"
#include "unmar/image/pages.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() { return picture_seeds(); }

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const auto path = fuzz::file_of(bytes, size);
  return fuzz::try_each([&] { read_image_info(path); }, [&] { list_pages(path); },
                        [&] { read_image(path, fuzz::small()); });
}
