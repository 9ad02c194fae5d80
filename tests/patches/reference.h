#pragma once

#include <vector>

#include "unmar/tensor/tensor.h"

/// The patch filter once more, from its formulas: doubles, plain loops, nothing cached and nothing
/// clever. What src/patches computes fast must be this.
namespace unmar::test {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

/// [c][h][w] in doubles.
struct Picture {
  explicit Picture(const Tensor& t);
  Picture(int channels, int height, int width, double value);
  double& at(int c, int y, int x) { return values[index(c, y, x)]; }
  double at(int c, int y, int x) const { return values[index(c, y, x)]; }
  Tensor to_tensor() const;

  int c, h, w;
  Row values;

 private:
  std::size_t index(int channel, int y, int x) const {
    return static_cast<std::size_t>((channel * h + y) * w + x);
  }
};

Picture opponent(const Picture& p);
Picture from_opponent(const Picture& p);

struct Place {
  int y, x;
  bool operator==(const Place&) const = default;
};
struct Grouping {
  int size = 0;                            ///< side of a patch
  std::vector<std::vector<Place>> groups;  ///< from top left to bottom right
  /// How near a patch was to being a member instead of another: the least difference of their
  /// distances, relative. What rounding decides is no bug.
  double closest_call = 1;
};
Grouping group(const Picture& p, int size, int count, int radius, int step);

/// x with a x = b.
Row solved(Matrix a, Row b);
/// Rows of weights of the patches `known`, one a row: I - D (V - u u' / sum(u)), u = V 1,
/// V = (known known' + diagonal)^-1.
Matrix theta(const Matrix& known, const Row& d, const Row& diagonal);

/// One pass. `variances` of the noise of each channel.
Picture first_estimate(const Grouping& grouping, const Row& variances, const Picture& y);
Picture with_pilot(const Grouping& grouping, const Row& variances, const Picture& y,
                   const Picture& pilot);
void remove_noise(const Grouping& grouping, const Row& variances, const Picture& y, double tau,
                  Picture& x, Picture& z);

struct FilterOptions {
  int size, group, radius, step, iterations;
};
struct Filtered {
  Tensor picture;
  double closest_call;
};
/// All of it, for white noise.
Filtered filtered(const Tensor& y, double sigma, const FilterOptions& options);
Filtered filtered_with_pilot(const Tensor& y, const Tensor& pilot, double sigma, int radius);

}  // namespace unmar::test
