#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/fail.h"
#include "data/input_file.h"
#include "unmar/data/dataset.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kMagic = 0x00000803;  // unsigned bytes, three sides
constexpr std::uint32_t kLargestSide = 4096;
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;
constexpr std::size_t kChunk = 1 << 20;

/// gzread() passes on what is not gzipped as it is.
class GzipFile {
 public:
  GzipFile(const fs::path& path, std::string where) : where_(std::move(where)) {
    data::InputFile("read_idx", path);  // for its errors
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) fail(ErrorCode::io, "{}: cannot be opened", where_);
  }
  /// The next bytes, fewer only at the end.
  std::size_t read(std::uint8_t* dst, std::size_t count) {
    const int got = gzread(file_.get(), dst, static_cast<unsigned>(count));
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (got < 0 || code == Z_BUF_ERROR)  // the latter: ends within the compressed data
      fail(code == Z_ERRNO ? ErrorCode::io : ErrorCode::bad_input,
           "{}: cannot be unpacked ({}); fetch it again", where_,
           code == Z_BUF_ERROR ? "it is truncated" : text);
    return static_cast<std::size_t>(got);
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string where_;
  std::unique_ptr<gzFile_s, Close> file_;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

Dataset read_idx(const fs::path& path) {
  const std::string where = fmt::format("read_idx: '{}'", path.string());
  GzipFile file(path, where);
  std::array<std::uint8_t, 16> header;
  if (file.read(header.data(), header.size()) != header.size())
    fail(ErrorCode::bad_input, "{}: is too short for an IDX file", where);
  if (big_endian(header.data()) != kMagic)
    fail(ErrorCode::bad_input,
         "{}: is not an IDX file of gray pictures: it begins with {:08x}, not "
         "{:08x}",
         where, big_endian(header.data()), kMagic);
  const std::uint32_t count = big_endian(&header[4]);
  const std::uint32_t height = big_endian(&header[8]), width = big_endian(&header[12]);
  if (count == 0 || height == 0 || width == 0)
    fail(ErrorCode::bad_input, "{}: has {} pictures of {}x{} px", where, count, width, height);
  // The sides first: then the product fits 64 bits.
  if (height > kLargestSide || width > kLargestSide ||
      std::uint64_t{count} * height * width > kMostBytes)
    fail(ErrorCode::too_large,
         "{}: says it has {} pictures of {}x{} px; the limits are {} px on a side and {} bytes",
         where, count, width, height, kLargestSide, kMostBytes);

  const std::uint64_t bytes = std::uint64_t{count} * height * width;
  Dataset set{1, static_cast<int>(height), static_cast<int>(width), {}};
  while (set.samples.size() < bytes) {
    const std::size_t at = set.samples.size();
    const std::size_t wanted = std::min<std::uint64_t>(kChunk, bytes - at);
    set.samples.resize(at + wanted);
    const std::size_t got = file.read(&set.samples[at], wanted);
    if (got < wanted)
      fail(ErrorCode::bad_input, "{}: ends after {} of {} bytes of pictures; fetch it again", where,
           at + got, bytes);
  }
  std::uint8_t more = 0;  // also makes zlib check its sum
  if (file.read(&more, 1) != 0)
    fail(ErrorCode::bad_input, "{}: goes on after its {} pictures", where, count);
  return set;
}

}  // namespace unmar
