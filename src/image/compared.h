#pragma once

#include <string_view>

#include "unmar/image/image.h"

namespace unmar::image {

/// One plane of a picture without its border; borrowed.
struct PlaneView {
  const float* data;
  int stride;
  const float* row(int y) const { return data + static_cast<std::ptrdiff_t>(y) * stride; }
};

/// Two pictures of one size as CompareOptions wants them compared. Borrows both.
/// throws Error{bad_argument}, its text starting with `where`.
class Compared {
 public:
  Compared(std::string_view where, const Image& a, const Image& b, const CompareOptions& options);
  Compared(const Compared&) = delete;
  Compared& operator=(const Compared&) = delete;

  int channels() const { return first_->channels(); }
  int height() const { return first_->height() - 2 * border_; }
  int width() const { return first_->width() - 2 * border_; }
  PlaneView first(int channel) const { return view(*first_, channel); }
  PlaneView second(int channel) const { return view(*second_, channel); }

 private:
  PlaneView view(const Image& image, int channel) const;

  Image first_luma_, second_luma_;  ///< empty unless asked for
  const Image* first_;
  const Image* second_;
  int border_;
};

}  // namespace unmar::image
