#pragma once

#include "fuzz/fuzz.h"
#include "unmar/image/image.h"

namespace unmar::fuzz {

inline ReadOptions small() {
  ReadOptions options;
  options.max_megapixels = 0.05;  // what is large is slow, and no other code
  return options;
}

inline Image picture(int channels, SampleFormat format) {
  Image image(channels, 5, 7);
  for (std::size_t i = 0; i < image.count(); ++i)
    image.pixels()[i] = static_cast<float>(i % 16) / 15.f;
  image.source.format = format;
  if (format == SampleFormat::u16) image.source.range = {0, 65535};
  if (format == SampleFormat::f32) image.source.range = {0, 1};
  return image;
}

/// One small picture of each kind of file that we write.
inline std::vector<std::string> picture_seeds() {
  std::vector<std::string> all;
  for (const int channels : {1, 3}) {
    for (const char* type : {".png", ".tif", ".jpg", ".webp"})
      all.push_back(encode_image(picture(channels, SampleFormat::u8), type));
    for (const char* type : {".png", ".tif"})
      all.push_back(encode_image(picture(channels, SampleFormat::u16), type));
    all.push_back(encode_image(picture(channels, SampleFormat::f32), ".tif"));
    Image with_alpha = picture(channels, SampleFormat::u8);
    with_alpha.source.alpha.assign(with_alpha.plane(0).size(), 0.5f);
    for (const char* type : {".png", ".tif", ".webp"})
      all.push_back(encode_image(with_alpha, type));
    const auto fits = file_of(nullptr, 0, "seed.fits");
    write_image(fits, picture(channels, SampleFormat::f32));
    all.push_back(contents(fits));
  }
  return all;
}

}  // namespace unmar::fuzz
