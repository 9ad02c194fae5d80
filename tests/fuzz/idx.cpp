#include <zlib.h>

#include "fuzz/fuzz.h"
#include "unmar/data/dataset.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() {
  std::string plain("\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x04", 16);
  plain += "a picture and 1 more....";
  const auto path = file_of(nullptr, 0, "seed.gz");
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, plain.data(), static_cast<unsigned>(plain.size()));
  gzclose(file);
  return {plain, contents(path)};
}

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const auto path = fuzz::file_of(bytes, size);
  return fuzz::try_each([&] { padded(read_idx(path), 64); });
}
