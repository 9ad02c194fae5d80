#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/fail.h"
#include "base/temporary_file.h"
#include "unmar/base/checksum.h"
#include "unmar/runs/store.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "unmar checkpoint";
constexpr std::uint32_t kFormat = 5;
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::size_t kChecksum = 64;  ///< hexadecimal digits

struct Header {
  char magic[16];
  std::uint32_t format, byte_order;
  std::uint64_t length;  ///< of the payload
};
static_assert(sizeof(Header) == 32 && kMagic.size() == sizeof(Header::magic));

Header header_for(std::uint64_t length) {
  Header header{{}, kFormat, kByteOrder, length};
  std::memcpy(header.magic, kMagic.data(), kMagic.size());
  return header;
}

/// Of the payload and then the header: when the payload is written its length is not known yet.
class Payload : public ByteSink {
 public:
  explicit Payload(TemporaryFile& file) : file_(file) {
    const Header unknown{};
    file_.append(std::as_bytes(std::span(&unknown, 1)));
  }
  void write(const char* bytes, std::size_t size) override {
    sum_.add(bytes, size);
    length_ += size;
    // Most values are a few bytes; a call of the system for each would take longer than the fit.
    if (buffered_ + size > buffer_.size()) flush();
    if (size >= buffer_.size()) {
      file_.append(std::as_bytes(std::span(bytes, size)));
      return;
    }
    std::memcpy(buffer_.data() + buffered_, bytes, size);
    buffered_ += size;
  }
  void finish() {
    flush();
    const Header header = header_for(length_);
    sum_.add(reinterpret_cast<const char*>(&header), sizeof header);
    const std::string sum = sum_.hex();
    file_.append(std::as_bytes(std::span(sum)));
    file_.write_at(0, std::as_bytes(std::span(&header, 1)));
  }

 private:
  void flush() {
    if (buffered_ > 0) file_.append(std::as_bytes(std::span(buffer_.data(), buffered_)));
    buffered_ = 0;
  }

  TemporaryFile& file_;
  Sha256 sum_;
  std::uint64_t length_ = 0;
  std::array<char, 1 << 16> buffer_;
  std::size_t buffered_ = 0;
};

}  // namespace

void write_checkpoint(const fs::path& path, std::string_view where,
                      const std::function<void(Archive&)>& write) {
  TemporaryFile file(where, path);
  Payload payload(file);
  Archive archive(payload);
  write(archive);
  payload.finish();
  file.commit();
}

Checkpoint::Checkpoint(const fs::path& path, std::string_view where) {
  const auto refuse = [&](ErrorCode code, const std::string& why) {
    fail(code, "{}: the checkpoint '{}' {}", where, path.string(), why);
  };
  const auto damaged = [&](const std::string& why) {
    refuse(ErrorCode::bad_input, why + "; delete it to begin anew");
  };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (file < 0 || fstat(file, &facts) != 0) {
    const int error = errno;
    if (file >= 0) close(file);
    refuse(ErrorCode::io, fmt::format("cannot be read: {}", std::strerror(error)));
  }
  size_ = static_cast<std::size_t>(facts.st_size);
  if (size_ > 0) bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  close(file);
  if (bytes_ == MAP_FAILED) {
    bytes_ = nullptr;
    refuse(ErrorCode::io, fmt::format("cannot be read: {}", std::strerror(error)));
  }
  try {
    const std::string_view bytes(static_cast<const char*>(bytes_), size_);
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
    if (bytes.size() < sizeof header + kChecksum ||
        header.length != bytes.size() - sizeof header - kChecksum)
      damaged("is cut short");
    payload_ = bytes.substr(sizeof header, header.length);
    Sha256 sum;
    sum.add(payload_.data(), payload_.size());
    sum.add(bytes.data(), sizeof header);
    if (sum.hex() != bytes.substr(bytes.size() - kChecksum))
      damaged("is damaged: its checksum does not fit");
  } catch (...) {
    munmap(bytes_, size_);
    throw;
  }
}

Checkpoint::~Checkpoint() {
  if (bytes_) munmap(bytes_, size_);
}

}  // namespace unmar
