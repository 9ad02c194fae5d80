#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/image/metadata.h"
#include "unmar/tensor/tensor.h"
#include "unmar/tensor/tiles.h"

namespace unmar {

/// How the samples were stored in the file, and are stored again when written.
enum class SampleFormat { u8, u16, f32 };

/// Numbers of a file that are neither of SampleFormat: they count as f32, and are written so again
/// where the file type holds them.
enum class OtherNumbers : std::uint8_t { none, i8, i16, u32, i32, f64 };

/// The source values that became 0 and 1: value = black + pixel * (white - black).
/// 8-bit files use 0 and 255. Scientific pictures often use a small part of their format, so their
/// range comes from the data (see RangeMode).
struct ValueRange {
  double black = 0, white = 255;
  bool operator==(const ValueRange&) const = default;
};

/// What restoring may make of a sample.
enum class SampleUse : std::uint8_t {
  used,       ///< it belongs to the picture
  missing,    ///< NaN, infinite or FITS' BLANK: to be filled
  discarded,  ///< a mask says that nobody should look at it: to be filled
  outlier,    ///< far outside of the range and alone: to be filled
  kept,       ///< outside of the range, with many beside it: handed out as it was
};

/// What a file carried beside its pixels; kept so that writing gives it back.
struct ImageSource {
  SampleFormat format = SampleFormat::u8;
  OtherNumbers numbers = OtherNumbers::none;  ///< only if `format` is f32
  ValueRange range;
  /// Pictures whose channels are no colours: the range of each; else empty.
  std::vector<ValueRange> channel_ranges = {};
  std::vector<std::byte> icc_profile;  ///< empty: none
  std::vector<float> alpha;            ///< h*w values in [0,1]; empty: opaque
  bool multiplied = false;  ///< the file's colours were multiplied by alpha; those here are not
  /// More than three channels, of which the first three are red, green and blue.
  bool begins_with_rgb = false;
  SharedMetadata metadata = {};  ///< resolution, EXIF, keywords ...
  std::string warning = {};      ///< what was wrong with the file, if it could be read still
  /// Of every pixel of every channel, in their order; null: all are used. The pixel of a sample
  /// that is missing or discarded is 0.
  std::shared_ptr<const std::vector<SampleUse>> use = {};
  /// Float files: the samples as they were, in the order of the pixels. Writing gives back those
  /// whose pixels did not change, bit for bit. Null: there are none.
  std::shared_ptr<const std::vector<double>> stored = {};

  /// For a picture whose pixels stand elsewhere.
  void forget_samples() { use = nullptr, stored = nullptr; }
};

/// A gray (1 channel) or RGB (3 channels) picture, or one of any other number of channels, which
/// are data: planar float32, nominal values in [0,1].
class Image {
 public:
  Image() = default;
  /// throws Error{bad_argument} unless channels and both sides are at least 1.
  Image(int channels, int height, int width, float value = 0.f);

  int channels() const { return channels_; }
  int height() const { return height_; }
  int width() const { return width_; }
  std::size_t count() const { return pixels_.size(); }
  bool empty() const { return pixels_.empty(); }
  bool same_size(const Image& other) const;

  std::span<float> pixels() { return pixels_; }
  std::span<const float> pixels() const { return pixels_; }
  std::span<float> plane(int channel);
  std::span<const float> plane(int channel) const;
  float& at(int channel, int y, int x);
  float at(int channel, int y, int x) const;

  ImageSource source;

 private:
  int channels_ = 0, height_ = 0, width_ = 0;
  std::vector<float> pixels_;
};

/// What there is to say of a picture without its pixels.
struct ImageFacts {
  int channels = 0, height = 0, width = 0;
  ImageSource source;  ///< without what belongs to single pixels
};
ImageFacts facts_of(const Image& image);

Tensor to_tensor(const Image& image);  ///< [1,c,h,w]
/// [1,c,h,w] -> image that carries `source` on; values are not clamped.
/// throws Error{bad_argument} for other shapes.
Image to_image(const Tensor& tensor, const ImageSource& source = {});

/// From which values the range is taken: those that are known, finite and not transparent.
enum class RangeMode {
  automatic,  ///< 8 bit: full; 16 bit: full unless the data use less than a quarter of it; float:
              ///< 0..1 if the data lie within and use at least a quarter of it, else the data's
              ///< minimum and maximum. The data are what is left without outliers
              ///< (docs/pictures.md).
  full,       ///< the whole range of the format (float: 0..1)
  data,       ///< minimum and maximum of the data, outliers included
};

/// What becomes of values far outside of the range. The fit sees none of them.
enum class Outliers {
  automatic,  ///< a single one is filled, an extended group stays what it was
  keep,
  fill,
};

struct ReadOptions {
  /// Larger pictures are refused before they are decoded. Not given: 100 for pictures that are held
  /// in memory as a whole, none for those that are looked at in parts.
  std::optional<double> max_megapixels = {};
  int page = 1;  ///< of a file with several: see pages.h
  RangeMode range = RangeMode::automatic;
  /// Overrides `range`; for example that of a picture to compare with.
  std::optional<ValueRange> fixed_range = {};
  /// Overrides all of it: the range of each channel.
  std::vector<ValueRange> channel_ranges = {};
  /// Overrides `range`, too: percentiles of the data, as {1, 99}.
  std::optional<ValueRange> percentiles = {};
  Outliers outliers = Outliers::automatic;
  double max_missing = 0;  ///< share of the samples that may be NaN or infinite
  /// Only this part, in pixels of the upright picture. The range is that of the whole.
  std::optional<Rect> region = {};
};

/// Of "X,Y,WxH". throws Error{bad_argument}.
Rect region_of(std::string_view text);
std::string to_string(const Rect& region);  ///< which region_of() reads

/// Sets the range from "auto", "full", "data", "LOW..HIGH" (stored values) or "P..Q%".
/// throws Error{bad_argument}.
void parse_range(std::string_view text, ReadOptions& options);
std::string range_in_words(const ReadOptions& options);  ///< which parse_range() reads

const char* to_string(Outliers outliers);        ///< "auto", "keep", "fill"
Outliers outliers_named(std::string_view name);  ///< throws Error{bad_argument}

/// Reads PNG, TIFF, JPEG, WebP, FITS (packed by gzip, too), GIF, BMP, AVIF, HEIC and JPEG XL, as
/// far as libvips was built for them, told apart by content. Of a JPEG that ends too soon it takes
/// what there is and says so in `source.warning`. Samples other than unsigned 8 and 16 bit (signed,
/// 32 bit, double) count as float. FITS is shown as astronomers do, its first row at the bottom,
/// unless it says ROWORDER = 'TOP-DOWN'. What the file tells beside its pixels goes along: see
/// metadata.h. EXIF orientation is applied; palettes, CMYK and other colour spaces become gray or
/// RGB; alpha is kept aside, not premultiplied, in `source.alpha`; an RGB or gray ICC profile is
/// carried over untouched. Memory: 4 bytes per sample, and the decoded file beside it while it is
/// converted. known: of the picture's size, 1 channel: samples where it is 0 are discarded, and the
/// range is taken where it is 1. throws Error{io} if the file cannot be read, Error{bad_input} if
/// it is not a picture, is truncated, is complex, holds more NaN than `max_missing` or no value
/// that is known, Error{too_large} above `max_megapixels`, Error{bad_argument} for an empty
/// `fixed_range`, `known` of another size and a page that is not there.
Image read_image(const std::filesystem::path& path, const ReadOptions& options = {},
                 const Image* known = nullptr);

/// A picture that is to be compared with `model`, in the range of `model`: the same stored numbers
/// become the same pixels, whatever their format, and 0..1 in a float file is the whole range of
/// an integer one. throws as read_image().
Image read_like(const Image& model, const std::filesystem::path& path, ReadOptions options = {});
/// How a mask is read: black and white are those of the file's format.
ReadOptions mask_reading(const ReadOptions& options);
/// throws as read_image().
Image read_mask(const std::filesystem::path& path, const ReadOptions& options = {});

std::string describe(const ImageFacts& picture);  ///< "512x512 px, RGB, 8 bit"
std::string describe(const Image& image);
std::string to_string(SampleFormat format);  ///< "8 bit", "16 bit", "float"
/// What the numbers of the file are: "16 bit", "16 bit, signed", "32 bit", "double" ...
std::string to_string(const ImageSource& source);

struct WriteOptions {
  /// Default: that of the source, as far as the file type can.
  std::optional<SampleFormat> format = {};
  int quality = 95;    ///< 1 to 100: JPEG, WebP; 100 makes WebP lossless
  bool strip = false;  ///< leaves the metadata out; the colour profile stays
};

/// Writes by extension: .png .tif .tiff .jpg .jpeg .webp .fits .fit .fts
/// The file appears complete or not at all: written under a temporary name beside it, then renamed.
/// A file that is replaced keeps its permissions; a symbolic link keeps pointing to it.
///
/// Only TIFF and FITS hold data, whose channels are neither gray nor RGB.
/// PNG holds 8 and 16 bit, JPEG and WebP 8 bit, TIFF and FITS also float: a 16-bit or float source
/// becomes 8 bit in JPEG and WebP, a float source 16 bit in PNG.
///
/// In the source's own format `source.range` maps values back to source units. In another format
/// [0,1] becomes the full range of that format, except that a custom range keeps its units in
/// float. Integer formats round and clamp; float keeps values outside [0,1].
///
/// The ICC profile goes along if it suits the channels; not into FITS, nor a gray one into WebP,
/// where gray becomes RGB. PNG, TIFF and WebP hold alpha; JPEG and FITS drop it.
///
/// throws Error{bad_argument} for an unknown extension, a format the file type cannot hold, a side
/// above the file type's limit or alpha of another size, Error{numeric} for NaN or infinite pixels,
/// Error{io} if it cannot be written.
void write_image(const std::filesystem::path& path, const Image& image,
                 const WriteOptions& options = {});

/// The bytes of such a file of the type that `extension` says: ".png", ".webp".
/// throws as write_image.
std::string encode_image(const Image& image, const std::string& extension,
                         const WriteOptions& options = {});

/// Writes pictures of one size as an endless animation, as write_image does: .gif or .webp, 8 bit,
/// without alpha. `milliseconds`: how long each is shown, from 10 on.
/// throws Error{bad_argument} for another extension, no pictures or pictures of different sizes.
void write_animation(const std::filesystem::path& path, const std::vector<Image>& frames,
                     const std::vector<int>& milliseconds);

/// Throws the error that write_image would throw for the path alone (extension, missing or
/// unwritable directory, path is a directory), so that it is known before a long fit.
/// Creates and removes an empty hidden file in the directory.
void check_writable(const std::filesystem::path& path);

/// Throws the error that write_image would throw for such a picture whatever its pixels.
void check_holds(const std::filesystem::path& path, const ImageFacts& picture);

/// A file's facts.
struct ImageInfo {
  int channels = 0, height = 0, width = 0;  ///< as read_image would give (after orientation)
  SampleFormat format = SampleFormat::u8;
  OtherNumbers numbers = OtherNumbers::none;  ///< only if `format` is f32
  bool has_alpha = false, has_icc_profile = false;
  std::string loader;  ///< "png", "tiff", "jpeg", "webp", "fits", ...
};
/// Gray or RGB to show a picture of any kind: of data the first three channels, or the first.
Image to_colours(const Image& image);

/// Without decoding. Throws as read_image does for what the header shows; no limit of size.
ImageInfo read_image_info(const std::filesystem::path& path, int page = 1);

/// Rec. 601 weights (0.299, 0.587, 0.114); gray is returned as it is; of data the mean.
Image to_gray(const Image& image);
/// Y of YCbCr as the super-resolution papers use it: (65.481 R + 128.553 G + 24.966 B + 16) / 255.
/// Gray is scaled likewise: (219 v + 16) / 255.
Image luma(const Image& image);
/// The part whose first pixel is (y0, x0), with all that belongs to its pixels. throws
/// Error{bad_argument} if it is not all inside.
Image crop(const Image& image, int y0, int x0, int height, int width);
/// Scaled down by Lanczos, if need be, so that no side is longer than max_side: a picture to look
/// at, 8 bit, values in [0,1], without alpha; the colour profile goes along.
Image shrunk_to(const Image& image, int max_side);
/// To height x width px: Lanczos 3, its kernel widened for making smaller; clamped to [0,1]. Alpha
/// is dropped. throws Error{bad_argument} for an empty picture or a side outside of 1 to 65536.
Image resized(const Image& image, int height, int width);
Image clamped(const Image& image, float low = 0.f, float high = 1.f);

struct CompareOptions {
  bool luma = false;  ///< compare Y of YCbCr only
  int border = 0;     ///< pixels left out on each side
};

/// Peak signal-to-noise ratio in dB, range 1, over all channels; infinity for equal images.
/// throws Error{bad_argument} if sizes or channels differ, or the border leaves nothing.
double psnr(const Image& a, const Image& b, const CompareOptions& options = {});

/// Structural similarity (Wang et al. 2004): 11x11 Gaussian window, sigma 1.5, population
/// statistics, K1 .01, K2 .03, range 1, mean over channels and over the pixels whose whole window
/// lies inside. Pictures smaller than 11 pixels on a side: the largest odd window that fits.
/// throws as psnr does.
double ssim(const Image& a, const Image& b, const CompareOptions& options = {});

struct Panel {
  const Image* image;
  std::string caption;  ///< drawn under the picture; plain UTF-8 text; left out if there is no font
};
/// One white sheet of rows of captioned pictures (8-bit RGB), for before/after views. Pictures are
/// scaled to a common height in pixels, nearest for enlarging; long captions are wrapped.
/// throws Error{bad_argument} without panels, for a panel without a picture or a height outside
/// 1 to 4096.
Image contact_sheet(const std::vector<std::vector<Panel>>& rows, int panel_height = 256);

}  // namespace unmar
