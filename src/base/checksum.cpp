#include "unmar/base/checksum.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/fail.h"

namespace unmar {

struct Sha256::Impl {
  std::unique_ptr<GChecksum, void (*)(GChecksum*)> state{g_checksum_new(G_CHECKSUM_SHA256),
                                                         g_checksum_free};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;

void Sha256::add(const char* bytes, std::size_t size) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // GLib counts with a sign
  while (size > 0) {
    const std::size_t part = std::min(size, kMost);
    g_checksum_update(impl_->state.get(), reinterpret_cast<const guchar*>(bytes),
                      static_cast<gssize>(part));
    bytes += part;
    size -= part;
  }
}

std::string Sha256::hex() { return g_checksum_get_string(impl_->state.get()); }

std::string sha256(std::string_view bytes) {
  Sha256 sum;
  sum.add(bytes.data(), bytes.size());
  return sum.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  Sha256 sum;
  std::array<char, 1 << 16> part;
  std::size_t size = 1;
  while (file && size > 0) {
    size = std::fread(part.data(), 1, part.size(), file.get());
    sum.add(part.data(), size);
  }
  if (!file || std::ferror(file.get()))
    fail(ErrorCode::io, "checksum: cannot read '{}': {}", path.string(), std::strerror(errno));
  return sum.hex();
}

}  // namespace unmar
