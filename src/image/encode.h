#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <vips/vips8>

#include "image/file_kind.h"
#include "image/metadata.h"
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

/// Calls body(the pixels as a picture of libvips, which lives that long) and returns what that
/// does.
std::string with_pixels(const Image& image, SampleKind samples, FileKind kind,
                        const std::function<std::string(const vips::VImage&)>& body);

/// By libvips, without what it does not know of the metadata.
std::string encoded(const vips::VImage& pixels, FileKind kind, int quality);
/// And with what the samples mean, which libvips does not ask for.
std::string encoded_as(const vips::VImage& pixels, FileKind kind, const Image& image, int quality);

const Metadata& metadata_of(const Image& image, const WriteOptions& options);

bool is_data(const Image& image);  ///< neither gray nor RGB

/// throws what write_image() throws for the picture.
void check_picture(const Image& image, FileKind kind, const WriteOptions& options,
                   const std::filesystem::path& path);
void check_channels(const Image& image, FileKind kind, const std::filesystem::path& path);

/// Writes what `make` makes. throws Error{io}.
void write_file(const std::filesystem::path& path, const std::function<std::string()>& make);

}  // namespace unmar::image
