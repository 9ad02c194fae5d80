#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "unmar/tasks/refine.h"
#include "unmar/tasks/tiles.h"

/// Refining pictures of any size.
///
/// Each tile is refined by itself, with a fit and a chain of its own: its chain begins where the
/// noise drowns the errors of its fit. All chains take their noise from where they are in the
/// picture, so that neighbours agree on what they share.
namespace unmar {

/// The options that the fits of a refinement have. If the picture [1,c,h,w] is cut and `tile` is
/// left to itself, tiles are at least as large as the model's pictures: a chain needs that.
RestoreOptions fit_options_of(Task task, const RefineOptions& options, const DdpmUnetOptions& unet,
                              const Shape& picture);

class TileRefiner final : public TileRestorer {
 public:
  /// channels: of the picture. prior: what the chains start from instead of fits, of the size of
  /// the result, borrowed; null: there is none. throws as refine() for options and model.
  TileRefiner(Task task, int channels, DiffusersModel model, const RefineOptions& options,
              const PictureParts* prior = nullptr);
  ~TileRefiner() override;

  const RefineOptions& options() const { return resolved_; }

  Restored restore(const Image& part, const Rect& place, const RestoreOptions& options,
                   const RestoreContext& context,
                   const std::function<void(double share)>& on_share) const override;
  bool has_fit() const override;
  void check(const Shape& part) const override;
  std::size_t shared_memory() const override;
  std::size_t memory_beside_fit(const Shape& part) const override;
  double seconds_beside_fit(const Shape& part, const std::stop_token& cancel) const override;

 private:
  class Network;
  Shape result_of(const Shape& part) const;

  Task task_;
  DiffusersModel model_;  ///< without its weights
  std::shared_ptr<const Weights> weights_;
  RefineOptions given_, resolved_;
  const PictureParts* prior_;
  int factor_;
  /// As many as tiles are worked on at a time; those that nobody uses wait here.
  struct Waiting {
    int threads;
    std::unique_ptr<UnetModel> network;
  };
  mutable std::mutex mutex_;
  mutable std::vector<Waiting> waiting_;
};

}  // namespace unmar
