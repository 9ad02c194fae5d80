#include "image/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <system_error>

#include "base/fail.h"

namespace unmar::image {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::string_view kReadable =
    "PNG, TIFF, JPEG, WebP, FITS, GIF, BMP, AVIF, HEIC or JPEG XL";

struct Signature {
  std::size_t at;
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array kSignatures{
    Signature{0, "\x89PNG\r\n\x1a\n"sv, FileKind::png},
    Signature{0, "\xff\xd8\xff"sv, FileKind::jpeg},
    Signature{0, "II\x2a\0"sv, FileKind::tiff},
    Signature{0, "MM\0\x2a"sv, FileKind::tiff},
    Signature{0, "II\x2b\0"sv, FileKind::tiff},  // BigTIFF
    Signature{0, "MM\0\x2b"sv, FileKind::tiff},
    Signature{8, "WEBP"sv, FileKind::webp},
    Signature{0, "SIMPLE  ="sv, FileKind::fits},
    Signature{0, kGzip, FileKind::fits},  // its library unpacks it
    Signature{0, "GIF8"sv, FileKind::gif},
    Signature{0, "BM"sv, FileKind::bmp},
    Signature{4, "ftyp"sv, FileKind::heif},  // AVIF, too
    Signature{0, "\xff\x0a"sv, FileKind::jxl},
    Signature{0, "\0\0\0\x0cJXL "sv, FileKind::jxl},
};

/// The FITS library takes as much memory as the file's last four bytes say, 4 GiB at most, before
/// it unpacks. Deflate packs 1032 to 1 at best.
void check_unpacked_size(std::string_view where, const fs::path& path, std::FILE* file) {
  std::array<unsigned char, 4> end{};
  const std::uint64_t packed = fs::file_size(path);
  if (packed < end.size() || std::fseek(file, -4, SEEK_END) != 0 ||
      std::fread(end.data(), 1, end.size(), file) != end.size())
    return;  // what is that short is refused when it is read
  const std::uint64_t unpacked = end[0] | end[1] << 8 | end[2] << 16 | std::uint64_t{end[3]} << 24;
  if (unpacked > 1032 * packed)
    fail(ErrorCode::bad_input,
         "{}: '{}' is damaged, cut short or of an unusual kind (its end says {} bytes, which {} "
         "packed bytes cannot hold)",
         where, path.string(), unpacked, packed);
}

}  // namespace

std::string_view name_of(FileKind kind) {
  switch (kind) {
    case FileKind::png:
      return "png";
    case FileKind::tiff:
      return "tiff";
    case FileKind::jpeg:
      return "jpeg";
    case FileKind::webp:
      return "webp";
    case FileKind::fits:
      return "fits";
    case FileKind::gif:
      return "gif";
    case FileKind::bmp:
      return "bmp";
    case FileKind::heif:
      return "heif";
    case FileKind::jxl:
      return "jxl";
  }
  return "?";
}

FileKind kind_of_contents(std::string_view where, const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (status.type() == fs::file_type::not_found) {
    fail(ErrorCode::io, "{}: '{}' does not exist; check the name", where, path.string());
  }
  if (fs::is_directory(status)) {
    fail(ErrorCode::io, "{}: '{}' is a folder; name a picture file", where, path.string());
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(ErrorCode::io, "{}: '{}' is not a regular file", where, path.string());
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) {
    fail(ErrorCode::io, "{}: cannot open '{}': {}", where, path.string(), std::strerror(errno));
  }
  std::array<char, 16> head{};
  const std::size_t size = std::fread(head.data(), 1, head.size(), file.get());
  if (std::ferror(file.get())) {
    fail(ErrorCode::io, "{}: cannot read '{}': {}", where, path.string(), std::strerror(errno));
  }
  if (size == 0) {
    fail(ErrorCode::bad_input, "{}: '{}' is empty (0 bytes)", where, path.string());
  }
  const std::string_view bytes(head.data(), size);
  for (const Signature& signature : kSignatures) {
    if (bytes.size() >= signature.at && bytes.substr(signature.at).starts_with(signature.bytes)) {
      if (signature.bytes == kGzip) check_unpacked_size(where, path, file.get());
      return signature.kind;
    }
  }
  fail(ErrorCode::bad_input, "{}: '{}' is not a {} picture; convert it to one of these first",
       where, path.string(), kReadable);
}

FileKind kind_of_extension(std::string_view where, const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".png") return FileKind::png;
  if (extension == ".tif" || extension == ".tiff") return FileKind::tiff;
  if (extension == ".jpg" || extension == ".jpeg") return FileKind::jpeg;
  if (extension == ".webp") return FileKind::webp;
  if (extension == ".fits" || extension == ".fit" || extension == ".fts") return FileKind::fits;
  fail(ErrorCode::bad_argument,
       "{}: '{}' has {}; use .png .tif .tiff .jpg .jpeg .webp .fits .fit or .fts", where,
       path.string(),
       extension.empty() ? "no extension" : "the unknown extension '" + extension + "'");
}

Abilities abilities(FileKind kind) {
  constexpr int kAny = std::numeric_limits<int>::max();
  switch (kind) {
    case FileKind::png:
      return {.u16 = true, .f32 = false, .alpha = true, .profile = true, .max_side = kAny};
    case FileKind::tiff:
      return {.u16 = true, .f32 = true, .alpha = true, .profile = true, .max_side = kAny};
    case FileKind::jpeg:  // libjpeg's JPEG_MAX_DIMENSION
      return {.u16 = false, .f32 = false, .alpha = false, .profile = true, .max_side = 65500};
    case FileKind::webp:  // 14 bits
      return {.u16 = false, .f32 = false, .alpha = true, .profile = true, .max_side = 16383};
    case FileKind::fits:
      return {.u16 = true, .f32 = true, .alpha = false, .profile = false, .max_side = kAny};
    case FileKind::gif:
    case FileKind::bmp:
    case FileKind::heif:
    case FileKind::jxl:
      break;  // read only
  }
  return {};
}

}  // namespace unmar::image
