#include "unmar/tensor/archive.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/fail.h"

namespace unmar {

void Archive::damaged(const char* why) const {
  fail(ErrorCode::bad_input, "{} is damaged: {}", where_, why);
}

void Archive::raw(void* data, std::size_t size) {
  if (size == 0) return;
  if (!reading_) {
    if (sink_)
      sink_->write(static_cast<const char*>(data), size);
    else
      bytes_.append(static_cast<const char*>(data), size);
    return;
  }
  if (rest_.size() < size) damaged("it is cut short");
  std::memcpy(data, rest_.data(), size);
  rest_.remove_prefix(size);
}

void Archive::tag(char letter) {
  char found = letter;
  raw(&found, 1);
  if (found != letter) damaged("it holds another kind of value than is due");
}

void Archive::reserve(std::uint64_t count, std::size_t size) const {
  if (reading_ && count > rest_.size() / size) damaged("it is cut short");
}

void Archive::item(std::string& text) {
  tag('s');
  std::uint64_t count = text.size();
  raw(&count, sizeof count);
  reserve(count, 1);
  text.resize(count);
  raw(text.data(), count);
}

void Archive::item(Tensor& tensor) {
  tag('T');
  const Shape& old = tensor.shape();
  std::array<int, 4> sides{old.n, old.c, old.h, old.w};
  raw(sides.data(), sizeof sides);
  if (reading_) {
    std::uint64_t count = 1;
    for (const int side : sides) {
      if (side < 0) damaged("a tensor has a negative side");
      count *= static_cast<std::uint64_t>(side);
      reserve(count, sizeof(float));  // side by side, so that the product cannot wrap around
    }
    tensor = count == 0 ? Tensor() : Tensor({sides[0], sides[1], sides[2], sides[3]});
  }
  raw(tensor.data(), tensor.count() * sizeof(float));
}

}  // namespace unmar
