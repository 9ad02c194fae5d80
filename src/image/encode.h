#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <vips/vips8>

#include "image/file_kind.h"
#include "image/metadata.h"
#include "image/tags.h"
#include "unmar/image/image.h"

/// From pixels to the bytes of a file.
namespace unmar::image {

inline constexpr std::string_view kWriteImage = "write_image";

/// What the samples of a file are.
struct SampleKind {
  SampleFormat format = SampleFormat::u8;
  OtherNumbers numbers = OtherNumbers::none;
};

/// That of the source, as far as the file type can, or the one that is asked for.
/// throws Error{bad_argument} if the type cannot hold that one.
SampleKind kind_to_write(FileKind kind, const Image& image, const WriteOptions& options,
                         const std::filesystem::path& path);

/// Interleaved, in the order of a file, with alpha last where the file type holds it.
std::vector<std::byte> samples_to_write(const Image& image, SampleKind kind, FileKind file);
VipsBandFormat band_format(SampleKind kind);
/// pixels: of samples_to_write(). image: only its source and its channels count.
vips::VImage with_colours(const vips::VImage& pixels, const Image& image, FileKind kind);

/// Calls body(the pixels as a picture of libvips, which lives that long) and returns what that
/// does.
std::string with_pixels(const Image& image, SampleKind samples, FileKind kind,
                        const std::function<std::string(const vips::VImage&)>& body);

/// By libvips, without what it does not know of the metadata and of the samples. Not FITS.
std::string encoded(const vips::VImage& pixels, FileKind kind, int quality);
void encode_to(const std::string& path, const vips::VImage& pixels, FileKind kind, int quality);
/// TIFF: what libvips does not ask for: it calls every sample beyond the colours alpha, and any
/// three of them colours.
std::vector<Tag> tags_of_samples(const Image& image, int bands);

const Metadata& metadata_of(const Image& image, const WriteOptions& options);

bool is_data(const Image& image);  ///< neither gray nor RGB

/// throws what write_image() throws for the picture.
void check_picture(const Image& image, FileKind kind, const WriteOptions& options,
                   const std::filesystem::path& path);
void check_sides(int width, int height, FileKind kind);
void check_channels(const Image& image, FileKind kind, const std::filesystem::path& path);

/// Writes what `make` makes. throws Error{io}.
void write_file(const std::filesystem::path& path, const std::function<std::string()>& make);

}  // namespace unmar::image
