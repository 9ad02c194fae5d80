#include "sealed_file.h"

#include <fmt/format.h>
#include <unmar/checksum.h>
#include <unmar/error.h>

#include <cstdint>
#include <cstring>

namespace unmar::cli {
namespace {

constexpr std::string_view kMagic = "unmar checkpoint";
constexpr std::uint32_t kFormat = 1;
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::size_t kChecksum = 64;  ///< hexadecimal digits

struct Header {
  char magic[16];
  std::uint32_t format, byte_order;
  std::uint64_t length;
};
static_assert(sizeof(Header) == 32 && kMagic.size() == sizeof(Header::magic));

}  // namespace

std::string sealed(std::string_view payload) {
  Header header{{}, kFormat, kByteOrder, payload.size()};
  std::memcpy(header.magic, kMagic.data(), kMagic.size());
  std::string bytes;
  bytes.reserve(sizeof header + payload.size() + kChecksum);
  bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += payload;
  return bytes + sha256(bytes);
}

std::string unsealed(std::string_view bytes, const std::filesystem::path& path) {
  const auto refuse = [&](ErrorCode code, const std::string& why) {
    throw Error(code, fmt::format("resume: the checkpoint '{}' {}", path.string(), why));
  };
  const auto damaged = [&](const std::string& why) {
    refuse(ErrorCode::bad_input, why + "; delete it to begin the run anew");
  };
  Header header{};
  if (bytes.size() >= sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
  if (std::string_view(header.magic, sizeof header.magic) != kMagic)
    damaged("is damaged or no checkpoint");
  if (header.byte_order != kByteOrder)
    refuse(ErrorCode::unsupported, "was made on another kind of machine");
  if (header.format != kFormat)
    refuse(ErrorCode::unsupported, fmt::format("is of format {}, this version reads {}; use the "
                                               "version that made it",
                                               header.format, kFormat));
  if (header.length != bytes.size() - sizeof header - kChecksum ||
      bytes.size() < sizeof header + kChecksum)
    damaged("is cut short");
  const std::string_view content = bytes.substr(0, bytes.size() - kChecksum);
  if (sha256(content) != bytes.substr(content.size()))
    damaged("is damaged: its checksum does not fit");
  return std::string(content.substr(sizeof header));
}

}  // namespace unmar::cli
