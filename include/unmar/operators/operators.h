#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "unmar/graph/graph.h"
#include "unmar/tensor/tiles.h"

/// What is known of the damage: the operator A of y = A x + noise.
namespace unmar {

/// Linear: A(ax + by) = a A x + b A y, and A 0 = 0. Immutable.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual std::string describe() const = 0;  ///< "lanczos2 reduction by 4"
  /// Shape of A x. throws Error{bad_argument} if x does not fit.
  virtual Shape output_shape(const Shape& x) const = 0;
  /// Writes A x into the graph. throws as output_shape.
  virtual NodeId write(Graph& graph, NodeId x) const = 0;
  /// What A x is compared with: y, without the pixels that tell nothing of x. A mask hides in y
  /// what it hides in x; the other operators use y as it is.
  virtual Tensor known_part(const Tensor& y) const;
  /// Whether x itself is what y should hold wherever y is known: identity and masks. Of the others
  /// only A x can be compared with y.
  virtual bool only_hides() const { return false; }
  /// How far from its place a value of A x looks at x, in pixels of x; 0: at its place alone. What
  /// is cut out of a picture predicts its values wrongly within so many pixels of where it was cut.
  virtual int reach() const { return 0; }
  /// A of a part of the picture, whose shape is x [n,c,h,w]: of that part it makes what A makes
  /// there of the whole, but within reach() of where it was cut. The corner and the sides of `part`
  /// are multiples of x.h / output_shape(x).h. Null: parts cannot be looked at alone. throws
  /// Error{bad_argument} if nothing is known there.
  virtual std::unique_ptr<Operator> restricted(const Shape& x, const Rect& part) const;
};

std::unique_ptr<Operator> make_identity();

/// y = m * x. mask [1,1,h,w] or [1,c,h,w] in [0,1]: 1 where the pixel is known, 0 where it is
/// missing; values between weight the values. The mask serves every picture of a batch.
/// throws Error{bad_argument} if a value is outside of [0,1] or no pixel is known.
std::unique_ptr<Operator> make_mask(Tensor mask);

/// y = m * A x: `of`, of whose values only those are known where the mask is above 0. mask of A x's
/// shape. throws Error{bad_argument} as make_mask().
std::unique_ptr<Operator> make_masked(std::unique_ptr<Operator> of, Tensor mask);

/// Low-pass filter and decimation as Linear::reduce: y of h x w belongs to x of h*factor x
/// w*factor. throws Error{bad_argument} unless factor is 2, 3, 4 or 8.
std::unique_ptr<Operator> make_reduction(ReduceKernel kernel, int factor);

/// Blurs: y = k * x, a convolution of every channel with one kernel that sums to 1. The picture is
/// mirrored at its edges, without the edge pixel itself, so it has to be larger than the kernel
/// reaches. All throw Error{bad_argument} for numbers out of range.
/// sigma: in pixels, up to 125; cut at 4 sigma. Rows and columns one after the other.
std::unique_ptr<Operator> make_gaussian_blur(double sigma);
/// A straight line of `length` pixels, up to 1000, through the centre; the weight of a pixel is how
/// much of it lies there. angle: in degrees, counter-clockwise from the horizontal.
std::unique_ptr<Operator> make_motion_blur(double length, double angle);
/// Out of focus: an even disk, radius in pixels, up to 500; the weight of a pixel is how much of it
/// lies inside.
std::unique_ptr<Operator> make_disk_blur(double radius);
/// Any kernel [1,1,h,w] of up to 1001 x 1001 finite values whose sum is above 0; they are divided
/// by it. Pixel (h/2, w/2), rounded down, is the centre: a single bright pixel becomes the kernel
/// with its centre there.
std::unique_ptr<Operator> make_kernel_blur(Tensor kernel);
/// A blur in words: "gauss:SIGMA", "motion:LENGTH,ANGLE" or "disk:RADIUS". throws
/// Error{bad_argument} for other words, and as the blurs.
std::unique_ptr<Operator> parse_blur(std::string_view text);

}  // namespace unmar
