#pragma once

#include <filesystem>

#include "unmar/base/process.h"
#include "unmar/runs/tile_store.h"

namespace unmar::runs {

/// A small picture of one that is restored in tiles, as it grows.
class Preview {
 public:
  /// file: empty: there is none.
  Preview(std::filesystem::path file, const Tiling& tiling);
  void add(const TileResult& tile);  ///< writes it now and then
  void write() const;

 private:
  void put(int tile, const Image& image);

  std::filesystem::path file_;
  TileGrid grid_;
  double scale_ = 1;
  Image picture_;
  Clock::time_point written_ = Clock::now();
};

}  // namespace unmar::runs
