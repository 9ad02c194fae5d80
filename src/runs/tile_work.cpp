#include "runs/tile_work.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/fail.h"
#include "base/limits.h"
#include "unmar/base/process.h"

namespace unmar::runs {
namespace {

TileResult result_of(const Tiling& tiling, int tile, const std::optional<Restored>& restored,
                     double seconds) {
  const FitResult fit = restored ? restored->fit : FitResult();
  const Image image = restored ? restored->image : tiling.input(tile);
  return {.facts = {.tile = tile,
                    .had_work = restored.has_value(),
                    .iterations = fit.iterations,
                    .best_iteration = fit.best_iteration,
                    .stopped = fit.stopped_by == StoppedBy::stopper,
                    .seconds = seconds},
          .picture = to_tensor(image),
          .alpha = image.source.alpha};
}

/// Does tiles on several threads.
class Workers {
 public:
  Workers(const TileWork& work, const std::vector<int>& tiles, const std::stop_token& stop)
      : work_(work), tiles_(tiles), stop_(stop), start_(work.store.start()) {}

  int go() {
    const int all = thread_count(work_.threads);
    int count = std::min({all, static_cast<int>(tiles_.size()), most_in_memory()});
    each_ = std::max(1, all / std::max(1, count));
    {
      std::vector<std::jthread> workers;
      for (int i = 1; i < count; ++i) workers.emplace_back([this] { run(); });
      run();
    }
    if (failure_) std::rethrow_exception(failure_);
    return left_;
  }

 private:
  int most_in_memory() const {
    const std::size_t one = std::max<std::size_t>(1, work_.tiling.memory_needed());
    constexpr std::size_t kMost = 4096;
    const double limit = work_.tiling.options().max_memory.value_or(0) * 0x1p30;
    const std::size_t free =
        limit > 0 ? static_cast<std::size_t>(limit) : available_memory().value_or(one * kMost);
    return static_cast<int>(std::clamp<std::size_t>(free / one, 1, kMost));
  }

  void run() {
    for (std::size_t i; !stop_.stop_requested() && (i = next_++) < tiles_.size();) {
      try {
        if (!do_tile(tiles_[i])) ++left_;
      } catch (const std::exception&) {
        if (stop_.stop_requested()) return;
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        ++left_;
      }
    }
  }

  bool do_tile(int tile) {
    if (work_.store.has(tile)) return true;
    std::unique_ptr<Claim> claim;
    if (work_.shared) {
      claim = work_.store.claim(tile);
      if (!claim) return work_.store.has(tile);
      if (work_.store.has(tile)) return true;  // done between the two
    }
    const auto begun = Clock::now();
    RestoreContext context;
    context.cancel = stop_;
    std::function<void(double)> on_share;
    if (work_.on_share) on_share = [&](double share) { work_.on_share(tile, share); };
    const auto restored = work_.tiling.restore(tile, start_, context, each_, on_share);
    if (stop_.stop_requested()) return false;
    const TileResult result = result_of(work_.tiling, tile, restored, seconds_since(begun));
    save(tile, result);
    const std::lock_guard lock(mutex_);
    if (work_.on_tile) work_.on_tile(result);
    return true;
  }

  /// What cannot be kept need not be computed: where the disk is full, no further tile is begun.
  void save(int tile, const TileResult& result) {
    try {
      work_.store.save(tile, result);
    } catch (const std::exception&) {
      next_ = tiles_.size();
      throw;
    }
  }

  const TileWork& work_;
  const std::vector<int>& tiles_;
  const std::stop_token& stop_;
  const TileStart start_;
  int each_ = 1;  ///< threads of a tile
  std::atomic<std::size_t> next_ = 0;
  std::atomic<int> left_ = 0;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

/// Some rows of the result, from `first` on, in the making.
class Rows {
 public:
  Rows(int channels, int height, int width, bool with_alpha)
      : channels_(channels + (with_alpha ? 1 : 0)),
        with_alpha_(with_alpha),
        height_(height),
        width_(width),
        plane_(static_cast<std::size_t>(height) * static_cast<std::size_t>(width)),
        base_(plane_ * static_cast<std::size_t>(channels_)),
        rest_(base_.size()),
        begun_(plane_) {}

  void add(const TileGrid& grid, int tile, const TileResult& result) {
    const Shape& shape = result.picture.shape();
    const std::size_t plane = static_cast<std::size_t>(shape.h) * static_cast<std::size_t>(shape.w);
    const int top = grid.tile(tile).y;
    grid.for_rows(tile, [&](int y, int x0, const std::vector<double>& shares) {
      const auto row = static_cast<std::size_t>(y - top) * static_cast<std::size_t>(shape.w);
      for (int c = 0; c < channels_; ++c)
        add_row(c, y, x0, shares,
                c == shape.c ? result.alpha.data() + row
                             : result.picture.data() + static_cast<std::size_t>(c) * plane + row);
      const std::size_t from = place(y, x0);
      std::fill_n(begun_.begin() + static_cast<std::ptrdiff_t>(from), shares.size(), true);
    });
  }

  /// The first `count` rows, which go; those below move up.
  Image take(int count) {
    Image rows(with_alpha_ ? channels_ - 1 : channels_, count, width_);
    if (with_alpha_) rows.source.alpha.resize(rows.plane(0).size());
    const std::size_t size = rows.plane(0).size();
    for (int c = 0; c < channels_; ++c) {
      const std::size_t from = static_cast<std::size_t>(c) * plane_;
      float* to = c < rows.channels() ? rows.plane(c).data() : rows.source.alpha.data();
      for (std::size_t i = 0; i < size; ++i)
        to[i] = static_cast<float>(static_cast<double>(base_[from + i]) + rest_[from + i]);
      shift(base_, from, size);
      shift(rest_, from, size);
    }
    shift(begun_, 0, size);
    first_ += count;
    return rows;
  }

 private:
  std::size_t place(int y, int x) const {
    return static_cast<std::size_t>(y - first_) * static_cast<std::size_t>(width_) +
           static_cast<std::size_t>(x);
  }

  void add_row(int channel, int y, int x0, const std::vector<double>& shares, const float* values) {
    const std::size_t pixel = place(y, x0), at = static_cast<std::size_t>(channel) * plane_ + pixel;
    for (std::size_t i = 0; i < shares.size(); ++i)
      if (begun_[pixel + i])
        rest_[at + i] +=
            shares[i] * (static_cast<double>(values[i]) - static_cast<double>(base_[at + i]));
      else
        base_[at + i] = values[i];
  }

  template <class T>
  void shift(std::vector<T>& plane, std::size_t from, std::size_t by) {
    const auto begin = plane.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = begin + static_cast<std::ptrdiff_t>(plane_);
    std::fill(std::copy(begin + static_cast<std::ptrdiff_t>(by), end, begin), end, T());
  }

  const int channels_;  ///< alpha is the last
  const bool with_alpha_;
  const int height_, width_;
  const std::size_t plane_;
  int first_ = 0;
  std::vector<float> base_;   ///< of each pixel what the first tile says
  std::vector<double> rest_;  ///< what the others' shares change
  std::vector<char> begun_;
};

TileResult result_or_input(const TileWork& work, int tile) {
  // A list is joined when all its tiles are there: one that is gone since is an error.
  if (work.shared || work.store.has(tile)) return work.store.tile(tile);
  const Image input = work.tiling.input(tile);
  return {.facts = {.tile = tile}, .picture = to_tensor(input), .alpha = input.source.alpha};
}

}  // namespace

bool begin_tiles(const TileWork& work, const std::stop_token& stop) {
  if (work.store.has_start()) return true;
  std::unique_ptr<Claim> claim;
  if (work.shared) {
    claim = work.store.claim_start();
    if (!claim) return false;
    if (work.store.has_start()) return true;
  }
  RestoreContext context;
  context.cancel = stop;
  TileStart start;
  try {
    start = work.tiling.begin(context);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
  }
  if (stop.stop_requested()) return false;
  work.store.save(std::move(start));
  return true;
}

int do_tiles(const TileWork& work, const std::vector<int>& tiles, const std::stop_token& stop) {
  if (tiles.empty()) return 0;
  return Workers(work, tiles, stop).go();
}

void join_tiles(const TileWork& work, const std::function<void(int y, Image rows)>& write) {
  const TileGrid grid = work.tiling.result_grid();
  const TileAxis &rows = grid.rows(), &columns = grid.columns();
  std::optional<Rows> band;
  for (int row = 0; row < rows.count(); ++row) {
    for (int column = 0; column < columns.count(); ++column) {
      const int tile = row * columns.count() + column;
      const TileResult result = result_or_input(work, tile);
      if (!band)
        band.emplace(result.picture.shape().c, rows.size(), columns.length(),
                     !result.alpha.empty());
      band->add(grid, tile, result);
    }
    const int end = row + 1 < rows.count() ? rows.start(row + 1) : rows.length();
    write(rows.start(row), band->take(end - rows.start(row)));
  }
}

}  // namespace unmar::runs
