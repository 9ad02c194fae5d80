#include "unmar/fit/tiles.h"

#include <algorithm>

#include "base/fail.h"
#include "fit/canvas.h"
#include "unmar/fit/phases.h"

namespace unmar {
namespace {

Rect scaled(const Rect& r, int factor) {
  return {r.y * factor, r.x * factor, r.height * factor, r.width * factor};
}

/// How many times smaller A makes a picture.
int factor_of(const Operator& A, const Shape& x, const Shape& y) {
  const int factor = y.h > 0 ? x.h / y.h : 0;
  if (x.n != 1 || y.n != 1 || factor < 1 || x.h != y.h * factor || x.w != y.w * factor)
    fail(ErrorCode::bad_argument,
         "fit_tiles: {} makes {} of {}; tiles need one picture that is smaller by a whole factor",
         A.describe(), to_string(y), to_string(x));
  return factor;
}

int divided_up(int length, int by) { return (length + by - 1) / by; }

/// Of y.
TileGrid grid_of(const TileOptions& o, const Shape& y, int factor, int reach) {
  if (o.side < 1 || o.overlap < 0 || o.overlap >= o.side || o.warm_up < 1 || o.attempts < 1)
    fail(ErrorCode::bad_argument,
         "fit_tiles: a side of {} with an overlap of {}, a warm-up of {} and {} attempts; the "
         "overlap must be smaller than the side, the others at least 1",
         o.side, o.overlap, o.warm_up, o.attempts);
  // What a cut spoils must lie where the neighbour has the larger share.
  const int overlap = std::max(divided_up(o.overlap, factor), 2 * reach);
  return {y.h, y.w, std::max(divided_up(o.side, factor), 3 * overlap), overlap};
}

class TiledFit {
 public:
  TiledFit(const Tensor& y, const Shape& x_shape, const Operator& A, const ProblemOptions& problem,
           const FitOptions& options, const TileOptions& tiles, Engine& engine,
           std::stop_token cancel)
      : y_(y),
        x_shape_(x_shape),
        A_(A),
        problem_(problem),
        options_(options),
        tiles_(tiles),
        engine_(engine),
        cancel_(std::move(cancel)),
        factor_(factor_of(A, x_shape, y.shape())),
        reach_(divided_up(A.reach(), factor_)),
        grid_(grid_of(tiles, y.shape(), factor_, reach_)),
        x_grid_(grid_.scaled(factor_)) {
    const auto is_of = [](const Tensor& t, const Shape& s) {
      return t.empty() || (t.shape().n == 1 && t.shape().h == s.h && t.shape().w == s.w);
    };
    const bool fits = y.shape() == A.output_shape(x_shape) && is_of(problem.picture, x_shape) &&
                      (problem.hidden.empty() || problem.hidden.shape() == y.shape());
    if (!fits)
      fail(
          ErrorCode::bad_argument,
          "fit_tiles: the observation is {}, hidden {}, the picture to start from {}, for {} of {}",
          to_string(y.shape()), to_string(problem.hidden.shape()),
          to_string(problem.picture.shape()), A.describe(), to_string(x_shape));
    if (!problem.own_input.empty() || options.stages || !options.watchers.empty())
      fail(ErrorCode::bad_argument,
           "fit_tiles: `own_input`, `stages` and `watchers` belong to one fit; leave them out");
    check_known();
  }

  FitResult go(const std::function<void(const FitProgress&)>& on_iteration) {
    const std::vector<FitPhase> phases = {
        {.name = "warm-up", .iterations = tiles_.warm_up, .attempts = tiles_.attempts},
        {.name = "tile",
         .fits = grid_.count(),
         .combine = Combine::sum,
         .iterations = options_.iterations,
         .attempts = tiles_.attempts}};
    const FitPartFunction fit_part = [this](const FitPart& part, const auto& tell,
                                            std::string_view resume) {
      return fit_one(part, tell, resume);
    };
    std::function<void(const FitProgress&)> tell;
    if (on_iteration)
      tell = [&](const FitProgress& progress) {
        FitProgress own = progress;
        own.save_to = [&](Archive& archive) {
          serialize_tiles(archive);
          progress.save_to(archive);
        };
        on_iteration(own);
      };
    std::string_view rest;
    if (!options_.resume.empty()) {
      Archive archive(options_.resume, "fit_tiles: the state to resume");
      serialize_tiles(archive);
      rest = archive.take_rest();
    }
    FitResult result = fit_phases(phases, fit_part, tell, rest);
    if (result.stopped_by == StoppedBy::cancelled) result.best = {};
    return result;
  }

 private:
  /// What a state belongs to.
  void serialize_tiles(Archive& archive) const {
    const std::vector<int> own = {x_shape_.c, x_shape_.h,  x_shape_.w,     factor_,
                                  reach_,     tiles_.side, tiles_.overlap, tiles_.warm_up};
    for (const int value : own) {
      int saved = value;
      archive(saved);
      archive.require(saved == value, "it is of another picture or of other tiles");
    }
  }

  /// Before hours of work.
  void check_known() const {
    const Tensor known = A_.known_part(Tensor(y_.shape(), 1.f));
    for (int tile = 0; tile < grid_.count(); ++tile) {
      const Rect r = grid_.tile(tile);
      const Tensor here = crop(known, r), hidden = hidden_in(r);
      bool any = false;
      for (std::size_t i = 0; i < here.count() && !any; ++i)
        any = here.data()[i] != 0.f && (hidden.empty() || hidden.data()[i] == 0.f);
      if (!any)
        fail(ErrorCode::bad_argument,
             "fit_tiles: of the {}x{} values at ({}, {}) none is known; take larger tiles", r.width,
             r.height, r.x, r.y);
    }
  }

  FitResult fit_one(const FitPart& part, const std::function<void(const FitProgress&)>& tell,
                    std::string_view resume) const {
    const bool is_warm_up = part.phase == 0;
    const int tile = is_warm_up ? grid_.middle() : part.fit;
    FitOptions how = options_;
    how.resume = resume;
    how.seed += static_cast<std::uint64_t>(part.attempt);
    how.weights = part.attempt > 0 ? nullptr : is_warm_up ? options_.weights : part.weights;
    how.return_state = part.return_state;
    if (is_warm_up) how.iterations = tiles_.warm_up;
    const auto stopper = is_warm_up || !tiles_.make_stopper ? make_fixed_count()
                                                            : tiles_.make_stopper(grid_.tile(tile));
    if (!stopper) fail(ErrorCode::bad_argument, "fit_tiles: make_stopper made none");
    const Problem problem = problem_of(tile, part.attempt);
    const Tensor nothing(x_shape_, 0.f);
    Canvas iterate(x_grid_, tile, nothing, part.sum), average = iterate;
    const auto on_tile = [&](const FitProgress& progress) {
      tell(on_whole(progress, iterate, average));
    };
    FitResult result = fit(problem, engine_, how, *stopper, nullptr, on_tile, cancel_);
    result.best = iterate.share_of(result.best);
    result.last = {};
    return result;
  }

  Problem problem_of(int tile, int attempt) const {
    const Rect part = grid_.tile(tile), of_x = scaled(part, factor_);
    const auto A = A_.restricted(x_shape_, of_x);
    if (!A)
      fail(ErrorCode::unsupported,
           "fit_tiles: parts of {} cannot be looked at alone; override Operator::restricted()",
           A_.describe());
    ProblemOptions own = problem_;
    own.seed += static_cast<std::uint64_t>(attempt);
    own.picture = crop(problem_.picture, of_x);
    own.hidden = hidden_in(part);
    return make_problem(crop(y_, part), {1, x_shape_.c, of_x.height, of_x.width}, *A, own);
  }

  /// What the user hides, and what looks beyond a cut.
  Tensor hidden_in(const Rect& part) const {
    Tensor hidden = crop(problem_.hidden, part);
    if (reach_ == 0 || grid_.count() == 1) return hidden;
    if (hidden.empty()) hidden = Tensor({1, y_.shape().c, part.height, part.width}, 0.f);
    const auto is_cut = [this](int at, int from, int size, int all) {
      return (from > 0 && at < reach_) || (from + size < all && at >= size - reach_);
    };
    for (int c = 0; c < y_.shape().c; ++c)
      for (int y = 0; y < part.height; ++y)
        for (int x = 0; x < part.width; ++x)
          if (is_cut(y, part.y, part.height, y_.shape().h) ||
              is_cut(x, part.x, part.width, y_.shape().w))
            hidden.at(0, c, y, x) = 1.f;
    return hidden;
  }

  const Tensor& y_;
  const Shape x_shape_;
  const Operator& A_;
  const ProblemOptions& problem_;
  const FitOptions& options_;
  const TileOptions& tiles_;
  Engine& engine_;
  const std::stop_token cancel_;
  const int factor_;
  const int reach_;      ///< px of y
  const TileGrid grid_;  ///< of y
  const TileGrid x_grid_;
};

}  // namespace

FitResult fit_tiles(const Tensor& y, const Shape& x_shape, const Operator& A,
                    const ProblemOptions& problem, const FitOptions& options,
                    const TileOptions& tiles, Engine& engine,
                    const std::function<void(const FitProgress&)>& on_iteration,
                    std::stop_token cancel) {
  return TiledFit(y, x_shape, A, problem, options, tiles, engine, std::move(cancel))
      .go(on_iteration);
}

}  // namespace unmar
