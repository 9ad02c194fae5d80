#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "unmar/image/parts.h"
#include "unmar/tasks/tasks.h"
#include "unmar/tensor/archive.h"
#include "unmar/tensor/tiles.h"

/// Pictures of any size, restored tile by tile, each tile's fit stopped at its own moment.
///
/// Every tile is a restoration of its own, of a part of the picture. All fits of a picture start
/// from the same weights, those of a short fit of the tile in its middle. So the tiles can be done
/// in any order, by any number of threads, processes and machines, with the same result, bit for
/// bit on machines of one kind.
namespace unmar {

/// The side of a tile of the result in px, from RestoreOptions::tile; 0: the picture is restored as
/// a whole. auto: pictures above a megapixel get tiles.
int tile_side(Task task, int height, int width, const RestoreOptions& resolved);

/// The tiles of a given picture of this size. throws as tile_side().
TileGrid tile_grid(Task task, int height, int width, const RestoreOptions& resolved);

/// Bytes that the restoration of one tile of such a picture takes. See memory_needed() of
/// options.h.
std::size_t memory_of_tile(Task task, const Shape& observed, const RestoreOptions& given);

/// What all tiles of a picture start from.
struct TileStart {
  std::optional<NoiseModel> noise;  ///< of the whole picture; if the method asks for it
  std::vector<Tensor> weights;      ///< empty: random ones
};
void serialize(Archive& archive, TileStart& start);

/// What restores the tiles of a picture where more is done than a fit.
class TileRestorer {
 public:
  virtual ~TileRestorer() = default;
  /// As unmar::restore(), of what a tile needs of the picture. place: where that lies in the
  /// picture, px. on_share: is told which share of the work is done. Called by several threads at
  /// once.
  virtual Restored restore(const Image& part, const Rect& place, const RestoreOptions& options,
                           const RestoreContext& context,
                           const std::function<void(double share)>& on_share) const = 0;
  /// Whether it fits networks, which can start from the same weights.
  virtual bool has_fit() const = 0;
  /// throws Error{bad_argument} if it cannot restore parts [1,c,h,w] of the picture.
  virtual void check(const Shape& part) const = 0;
  /// Bytes that all parts share, and those that each takes beside its fit.
  virtual std::size_t shared_memory() const = 0;
  virtual std::size_t memory_beside_fit(const Shape& part) const = 0;
  /// Core seconds about, by trying it; once `cancel` is requested it returns soon.
  virtual double seconds_beside_fit(const Shape& part, const std::stop_token& cancel) const = 0;
};

/// How a picture is restored in tiles.
class Tiling {
 public:
  /// known: inpaint: what known_pixels() made of a mask, 1 channel; null: all is known but what the
  /// picture marks as missing. restorer: null: unmar::restore(). All three are borrowed. throws as
  /// resolve(), and Error{bad_argument} for options that need all of a picture at once.
  Tiling(Task task, const PictureParts& picture, const PictureParts* known,
         const RestoreOptions& given, const TileRestorer* restorer = nullptr);

  const RestoreOptions& options() const { return resolved_; }  ///< of the tiles, before noise()
  const TileGrid& grid() const { return grid_; }               ///< of the given picture
  TileGrid result_grid() const { return grid_.scaled(factor_); }
  int channels() const { return picture_.channels(); }
  int factor() const { return factor_; }  ///< how many times larger the result is
  std::size_t memory_needed() const;      ///< of a tile, see memory_of_tile()
  const TileRestorer* restorer() const { return restorer_; }
  /// The same by restore() alone.
  Tiling fits_alone() const;

  /// Of the whole picture, or of parts of a large one; nothing if tiles need not know it.
  std::optional<NoiseModel> noise() const;
  /// Of context only `cancel` counts; cancelled, what comes back means nothing.
  TileStart begin(const RestoreContext& context = {}) const;
  /// One tile, as it goes into the result. Empty: nothing is to be restored in it, see input().
  /// A fit that diverges is tried twice more with other seeds. throws as restore().
  /// threads: instead of those of the options; 0: those. on_share: as of TileRestorer; with it the
  /// context's on_iteration is not called.
  std::optional<Restored> restore(int tile, const TileStart& start,
                                  const RestoreContext& context = {}, int threads = 0,
                                  const std::function<void(double share)>& on_share = {}) const;
  /// The tile as it came, enlarged if need be: for what was not restored.
  Image input(int tile) const;
  /// Of the whole picture. Looks at all of it, some rows at a time.
  ValueCounts counts() const;
  /// What the result carries beside its pixels and its alpha.
  ImageSource result_source() const;

 private:
  struct Part;
  Shape shape_of_tile() const;  ///< of the given picture
  Part look_at(const Rect& rect) const;
  Part part_of(int tile) const;
  RestoreOptions options_for(const Part& part, const TileStart& start) const;
  bool has_usual_network(const Part& part, const RestoreOptions& options) const;

  Task task_;
  const PictureParts& picture_;
  const PictureParts* known_;
  const TileRestorer* restorer_;
  bool has_iterations_;  ///< the user chose
  RestoreOptions given_, resolved_;
  int factor_;
  int reach_;  ///< px of the given picture at a cut that the operator predicts wrongly
  TileGrid grid_;
};

}  // namespace unmar
