#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "unmar/image/image.h"
#include "unmar/tensor/archive.h"

namespace unmar {

/// The result as it develops, as one file: an animation (.gif, .webp) or a film strip (any other
/// picture type). At most kMostFrames: beyond, every other one goes, and from then on as rarely.
class Film {
 public:
  static constexpr int kMostFrames = 100;
  /// Whether --snapshots names such a file, and not a folder.
  static bool is_meant_by(const std::filesystem::path& path);

  /// `place`: 0, 1, 2 ... for the pictures that are offered, in order.
  void offer(int place, const std::string& caption, const Image& picture);
  /// The last picture stays longest. throws as write_image().
  void write(const std::filesystem::path& path, const std::string& caption,
             const Image& last) const;
  void serialize(Archive& archive);

 private:
  /// 8 bit: all of them are held until the end.
  struct Frame {
    std::string caption;
    int channels = 0, height = 0, width = 0;
    std::vector<unsigned char> samples;
    void serialize(Archive& archive);
  };
  static Frame frame_of(const std::string& caption, const Image& picture);
  static Image image_of(const Frame& frame);

  int step_ = 1;
  std::vector<Frame> frames_;
};

}  // namespace unmar
