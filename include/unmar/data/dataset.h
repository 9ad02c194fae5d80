#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "unmar/tensor/tensor.h"

/// Pictures to train a diffusion model with.
namespace unmar {

/// Pictures of one size, 8 bits a sample.
struct Dataset {
  int channels = 1, height = 0, width = 0;
  std::vector<std::uint8_t> samples;  ///< picture by picture, each [c,h,w]
  /// Files that are named as pictures and could not be read, and what was said of the first.
  std::size_t left_out = 0;
  std::string why = {};

  std::size_t picture_size() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
  std::size_t count() const { return samples.empty() ? 0 : samples.size() / picture_size(); }
};

/// Gray pictures of an IDX file (type 0x08, three sides: count, rows, columns), plain or gzipped,
/// as MNIST and Fashion-MNIST come: on Debian, the package dataset-fashion-mnist puts
/// /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz. Memory grows with what is there,
/// not with what the header says. throws Error{io} if it cannot be read, Error{bad_input} if it is
/// no such file, is truncated or longer than it says, Error{too_large} above 4 GiB or 4096 px on a
/// side.
Dataset read_idx(const std::filesystem::path& path);

struct PictureFolderOptions {
  int size = 64;           ///< side, px
  bool gray = false;       ///< else RGB
  float background = 1.f;  ///< shows through where a picture is transparent
};
/// The pictures of a folder and the folders in it, by name; other files, and what is hidden, are
/// left out. Those that cannot be read are counted. Each is cropped to its central square, then
/// resized. throws Error{io} if there is no folder, Error{bad_input} if it holds no picture that
/// can be read; Error{bad_argument} for options out of range.
Dataset read_picture_folder(const std::filesystem::path& folder,
                            const PictureFolderOptions& options = {});

/// The pictures in the middle of black ones of size x size px.
/// throws Error{bad_argument} if they are larger.
Dataset padded(const Dataset& dataset, int size);

struct BatchOptions {
  int batch = 16;
  bool flip = false;  ///< left to right, each picture with probability 1/2
  std::uint64_t seed = 0;
};

/// The endless sequence of the dataset, shuffled anew for each pass, cut into batches. A batch
/// depends on the seed and its number alone, so that training can go on where it ended.
class Batches {
 public:
  /// throws Error{bad_argument} for an empty dataset or batch < 1.
  Batches(Dataset dataset, const BatchOptions& options);

  const Dataset& dataset() const { return dataset_; }
  /// Batch `number` from 0: [batch,c,h,w], values in [-1,1].
  Tensor at(std::int64_t number);

 private:
  void shuffle(std::int64_t pass);

  Dataset dataset_;
  BatchOptions options_;
  std::int64_t pass_ = -1;  ///< that these belong to
  std::vector<std::uint32_t> order_;
  std::vector<float> flipped_;  ///< by place in the order; 1: yes
};

}  // namespace unmar
