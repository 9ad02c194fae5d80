#include "image/compared.h"

#include <algorithm>

#include "base/fail.h"

namespace unmar::image {

Compared::Compared(std::string_view where, const Image& a, const Image& b,
                   const CompareOptions& options)
    : first_(&a), second_(&b), border_(options.border) {
  if (a.empty() || !a.same_size(b)) {
    fail(ErrorCode::bad_argument,
         "{}: pictures must have the same size, got {}x{} with {} channels and {}x{} with {}",
         where, a.width(), a.height(), a.channels(), b.width(), b.height(), b.channels());
  }
  if (border_ < 0 || border_ > (std::min(a.width(), a.height()) - 1) / 2) {
    fail(ErrorCode::bad_argument, "{}: a border of {} leaves nothing of {}x{} px", where, border_,
         a.width(), a.height());
  }
  if (options.luma) {
    first_luma_ = luma(a);
    second_luma_ = luma(b);
    first_ = &first_luma_;
    second_ = &second_luma_;
  }
}

PlaneView Compared::view(const Image& image, int channel) const {
  const auto offset = static_cast<std::ptrdiff_t>(border_) * image.width() + border_;
  return {image.plane(channel).data() + offset, image.width()};
}

}  // namespace unmar::image
