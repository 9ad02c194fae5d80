#include <algorithm>
#include <memory>

#include "tasks/fitted_tiles.h"
#include "tasks/task.h"
#include "unmar/tasks/options.h"

namespace unmar {
namespace {

/// What memory is counted with: the picture that a fit restores, and its operator without data.
struct Fitted {
  Shape picture;
  std::unique_ptr<Operator> A;
};

/// tiles: that the fit goes through; nothing: it is of the whole.
Fitted fitted(Task task, const Shape& observed, const std::optional<TileGrid>& tiles,
              const RestoreOptions& resolved) {
  const TaskSpec& spec = task_spec(task);
  const int factor = enlargement_of(task, resolved);
  constexpr int kMostSide = 1 << 24;  // no overflow below; the graph says what is too large
  const int height = tiles ? tiles->tile(0).height : observed.h;
  const int width = tiles ? tiles->tile(0).width : observed.w;
  return {
      {1, observed.c, std::min(height, kMostSide) * factor, std::min(width, kMostSide) * factor},
      spec.counted ? spec.counted(resolved) : make_identity()};
}

}  // namespace

std::size_t memory_needed(Task task, const Shape& observed, const RestoreOptions& given) {
  RestoreOptions resolved = resolve(task, given);
  const auto tiles = fitted_tiles(task, observed.h, observed.w, resolved);
  if (tiles) resolved = resolve(task, suited_to_tiles(task, given));
  const std::size_t values = fitted(task, observed, {}, resolved).picture.count();
  // What the filter takes: patches.h. Around it: the input, the result, what the blend is made of.
  constexpr std::size_t kFilter = 12, kFilterBytes = 45, kAround = 8;
  std::size_t bytes = sizeof(float) * values * kAround;
  if (resolved.method.value_or(Method::dip) != Method::dip)
    bytes += sizeof(float) * values * kFilter + kFilterBytes * values / observed.c;
  if (resolved.method == Method::patches) return bytes;
  const Fitted one = fitted(task, observed, tiles, resolved);
  bytes += memory_needed(one.picture, *one.A, problem_options(resolved), fit_options(resolved),
                         *make_engine(resolved.engine.value()));
  return bytes;
}

void require_memory(Task task, const Image& observed, const RestoreOptions& resolved,
                    const Engine& engine) {
  const Shape shape{1, observed.channels(), observed.height(), observed.width()};
  const Fitted one = fitted(task, shape, fitted_tiles(task, observed, resolved), resolved);
  require_memory(task, one.picture, *one.A, resolved, engine);
}

void require_memory(Task task, const Shape& picture, const Operator& A,
                    const RestoreOptions& resolved, const Engine& engine) {
  const double limit = resolved.max_memory.value_or(0) * 0x1p30;
  require_memory(to_string(task), static_cast<std::size_t>(limit), picture, A,
                 problem_options(resolved), fit_options(resolved), engine);
}

}  // namespace unmar
