#pragma once

#include <filesystem>

#include "unmar/base/process.h"
#include "unmar/runs/tile_store.h"

namespace unmar::runs {

/// A small picture of one that is restored in tiles, as it grows.
class Preview {
 public:
  /// As what came in. file: where it is written; may be empty.
  Preview(std::filesystem::path file, const Tiling& tiling);
  void put(const TileResult& tile);
  void add(const TileResult& tile);         ///< and writes it now and then
  void put_rows(int y, const Image& rows);  ///< of the blended result
  void write() const;
  const Image& picture() const { return picture_; }

 private:
  void put(const Rect& rect, const Image& image);

  std::filesystem::path file_;
  TileGrid grid_;
  double scale_ = 1;
  Image picture_;
  Clock::time_point written_ = Clock::now();
};

}  // namespace unmar::runs
