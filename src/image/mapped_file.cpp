#include "image/mapped_file.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "image/file_kind.h"

namespace unmar::image {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kMost = std::size_t{4} << 30;  // bytes; more is no picture that can be held

/// As far as it is there.
std::string unpacked(const std::filesystem::path& path) {
  std::string bytes;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), &gzclose);
  for (int got = file ? 1 : 0; got > 0 && bytes.size() < kMost;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kChunk);
    got = gzread(file.get(), bytes.data() + before, kChunk);
    bytes.resize(before + static_cast<std::size_t>(std::max(got, 0)));
  }
  return bytes;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path)
    : file_(g_mapped_file_new(path.c_str(), FALSE, nullptr)) {
  if (bytes().starts_with(kGzip)) unpacked_ = unpacked(path);
}

std::string_view MappedFile::bytes() const {
  if (!unpacked_.empty()) return unpacked_;
  if (!file_ || !g_mapped_file_get_contents(file_)) return {};
  return {g_mapped_file_get_contents(file_), g_mapped_file_get_length(file_)};
}

}  // namespace unmar::image
