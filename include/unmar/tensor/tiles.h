#pragma once

#include <cstddef>
#include <vector>

#include "unmar/tensor/tensor.h"

namespace unmar {

/// A part of a picture, in pixels.
struct Rect {
  int y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Rect&) const = default;
};

/// Of a tensor [1,c,h,w]; empty: empty. throws Error{bad_argument} if the part is not inside.
Tensor crop(const Tensor& x, const Rect& part);

/// Overlapping intervals of one size that cover a length, evenly spread, the first and the last at
/// its ends; and the share of each in what is blended of them: it falls linearly to an interval's
/// ends, and the shares in one place add up to 1.
class TileAxis {
 public:
  /// size: at most length. overlap: of neighbours, at least; 0 to size - 1.
  TileAxis(int length, int size, int overlap);

  int count() const { return static_cast<int>(starts_.size()); }
  int size() const { return static_cast<int>(ramp_.size()); }
  int length() const { return static_cast<int>(weight_.size()); }
  int start(int tile) const { return starts_[static_cast<std::size_t>(tile)]; }
  /// Of the pixel `i` of an interval that lies at pixel `at`.
  double share(int i, int at) const {
    return ramp_[static_cast<std::size_t>(i)] / weight_[static_cast<std::size_t>(at)];
  }
  /// Of `factor` times the resolution.
  TileAxis scaled(int factor) const;

 private:
  TileAxis(int length, int size, int overlap, std::vector<int> starts);

  int overlap_;
  std::vector<int> starts_;
  std::vector<double> ramp_;    ///< weight of each pixel of an interval
  std::vector<double> weight_;  ///< of each pixel of the length, over all intervals
};

/// A picture cut into overlapping tiles of one size, row by row.
class TileGrid {
 public:
  /// Tiles of `size` px on a side, less where the picture is smaller. throws Error{bad_argument}
  /// unless all sides are at least 1 and overlap is 0 to size - 1.
  TileGrid(int height, int width, int size, int overlap);

  int count() const { return rows_.count() * columns_.count(); }
  Rect tile(int index) const;
  int middle() const { return rows_.count() / 2 * columns_.count() + columns_.count() / 2; }
  /// Calls visit(row, first column, shares of the row's pixels) for each row of the tile, in pixels
  /// of the picture. The shares of all tiles in one pixel add up to 1.
  template <class Visit>
  void for_rows(int index, Visit visit) const {
    const Rect t = tile(index);
    std::vector<double> shares(static_cast<std::size_t>(t.width));
    for (int y = 0; y < t.height; ++y) {
      const double of_row = rows_.share(y, t.y + y);
      for (int x = 0; x < t.width; ++x)
        shares[static_cast<std::size_t>(x)] = of_row * columns_.share(x, t.x + x);
      visit(t.y + y, t.x, shares);
    }
  }
  const TileAxis& rows() const { return rows_; }
  const TileAxis& columns() const { return columns_; }
  /// The same tiles of the picture at `factor` times its resolution.
  TileGrid scaled(int factor) const;

 private:
  TileGrid(TileAxis rows, TileAxis columns);

  TileAxis rows_, columns_;
};

}  // namespace unmar
